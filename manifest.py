# Freezes certlet into a MicroPython firmware: make BOARD=... FROZEN_MANIFEST=/path/to/certlet/manifest.py
package("certlet", base_path="firmware")
