# Freezes certlet into a MicroPython firmware: include("/path/to/certlet/manifest.py"). A part that firmware/parts.json
# names can be left out: include("/path/to/certlet/manifest.py", scep=False, cms=False).
import json
import os

with open("firmware/parts.json") as file:
    parts = json.load(file)
options.defaults(**dict.fromkeys(parts, True))
left_out = tuple(prefix for part in parts if not getattr(options, part) for prefix in parts[part])

modules = []
for folder, _, names in os.walk("firmware/certlet"):
    modules += [os.path.relpath(os.path.join(folder, name), "firmware") for name in names if name.endswith(".py")]
package(
    "certlet",
    files=sorted(os.path.relpath(module, "certlet") for module in modules if not module.startswith(left_out)),
    base_path="firmware",
    opt=3,
)
