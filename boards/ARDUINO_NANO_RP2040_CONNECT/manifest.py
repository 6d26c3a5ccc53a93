# Nano RP2040 Connect: what MicroPython freezes for it, and certlet.
include("$(PORT_DIR)/boards/ARDUINO_NANO_RP2040_CONNECT/manifest.py")
include("../../manifest.py")
