# Raspberry Pi Pico: what MicroPython freezes for it, and certlet. lib=False does without micropython-lib.
options.defaults(lib=True)
if options.lib:
    include("$(PORT_DIR)/boards/manifest.py")
else:
    freeze("$(PORT_DIR)/modules")
    include("$(MPY_DIR)/extmod/asyncio")
include("../../manifest.py")
