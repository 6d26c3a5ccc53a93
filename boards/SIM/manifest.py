# The simulated board: MicroPython's unix port with the device code unchanged.
include("../../manifest.py")
