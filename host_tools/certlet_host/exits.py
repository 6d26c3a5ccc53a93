"""Exit codes of every command, and how an answer of a board becomes one."""

OK = 0
FAILED = 1
USAGE = 2
PARTIAL = 3
NO_DEVICE = 4
UNVERIFIED = 5

MEANING = {
    OK: "done",
    FAILED: "refused or failed",
    USAGE: "the command or its input is wrong",
    PARTIAL: "a batch was done in part",
    NO_DEVICE: "no device, or it stopped answering",
    UNVERIFIED: "what came back could not be verified",
}

_CMP_KEY = 414  # the CA is who it should be, yet certified another key: refused, not unverified
_BY_CLASS = {"ConfigError": USAGE, "Untrusted": UNVERIFIED, "BadSignature": UNVERIFIED}


def of_answer(answer: dict) -> int:
    """Return the exit code for the answer of a device verb."""
    if answer["ok"]:
        return OK
    if answer["code"] is None:
        return NO_DEVICE
    if answer["code"] == _CMP_KEY:
        return FAILED
    return _BY_CLASS.get(answer["class"], FAILED)
