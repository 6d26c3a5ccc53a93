# ESP32-C6: what MicroPython freezes for it, and certlet.
include("$(PORT_DIR)/boards/manifest.py")
include("../../manifest.py")
