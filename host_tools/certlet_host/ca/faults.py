"""The exception for what the operator of a lab CA can mend."""


class StoreError(Exception):
    """The state folder cannot serve; the text is one line for the operator."""
