"""Host side of certlet: lab CA, factory station and tools. It shares no code with the device, on purpose."""

__version__ = "0.1.0"
