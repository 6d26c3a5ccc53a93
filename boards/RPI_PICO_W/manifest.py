# Raspberry Pi Pico W: what MicroPython freezes for it, and certlet.
include("$(PORT_DIR)/boards/RPI_PICO_W/manifest.py")
include("../../manifest.py")
