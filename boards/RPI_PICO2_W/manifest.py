# Raspberry Pi Pico 2 W: what MicroPython freezes for it, and certlet.
include("$(PORT_DIR)/boards/RPI_PICO2_W/manifest.py")
include("../../manifest.py")
