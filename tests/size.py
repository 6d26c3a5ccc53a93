"""Compiles the firmware and holds its size on flash against the budgets: `make size`.

The figures are the bytes of the .mpy files, also written to build/size.json. Modules with native code are compiled for
--arch, an RP2040 (armv6m) unless told otherwise; all others run on any board. -O3 leaves line numbers out, 7 % of all:
what a device raises is a code.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from certlet_host.image.packages import VARIANTS, compile_all, prefixes
from certlet_host.image.sources import ImageError

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "build" / "size.json"

KB = 1024
# What a build leaves out that enrols by one protocol only. SCEP brings cms along, and RSA.
LEFT_OUT = {
    "total": (),
    "cmp_only": prefixes(VARIANTS["package-cmp.json"]),
    "scep_only": prefixes(("cmp",)),
}
# The limits of today, and the targets to come back to.
BUDGETS = {"total": 104 * KB, "cmp_only": 62 * KB}
TARGETS = {"total": 96 * KB, "cmp_only": 48 * KB}


def summary(sizes: dict[str, int]) -> dict:
    """Return the report: bytes of each module, by its path without suffix, and of each build."""
    sizes = {name.removesuffix(".mpy"): size for name, size in sizes.items()}
    builds = {
        build: sum(size for name, size in sizes.items() if not name.startswith(left_out))
        for build, left_out in LEFT_OUT.items()
    }
    return {"modules": sizes, **builds}


def over(report: dict) -> list[str]:
    """Return a line for each budget that is exceeded."""
    return [
        f"{build}: {report[build]} bytes, {report[build] - budget} over the budget of {budget}"
        for build, budget in BUDGETS.items()
        if report[build] > budget
    ]


def test_size_is_within_budget(tmp_path):
    assert not over(summary(compile_all(tmp_path, "armv6m")))


def test_a_build_leaves_out_the_other_protocol():
    report = summary({"certlet/cmp/msg": 50 * KB, "certlet/scep/msg": 30 * KB, "certlet/der": 20 * KB})
    assert (report["total"], report["cmp_only"], report["scep_only"]) == (100 * KB, 70 * KB, 50 * KB)
    assert over(report) == [f"cmp_only: {70 * KB} bytes, {8 * KB} over the budget of {62 * KB}"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Compile the firmware and check its size.")
    parser.add_argument("--arch", default="armv6m", help="of native code, as mpy-cross names it (default: %(default)s)")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            report = summary(compile_all(Path(folder), options.arch))
    except ImageError as error:
        print(f"size: {error}", file=sys.stderr)
        return 1
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n")
    for name, size in report["modules"].items():
        print(f"{size:7}  {name}")
    for build in LEFT_OUT:
        limits = f" (budget {BUDGETS[build]}, target {TARGETS[build]})" if build in BUDGETS else ""
        print(f"{report[build]:7}  {build}{limits}")
    for line in over(report):
        print(line, file=sys.stderr)
    return 1 if over(report) else 0


if __name__ == "__main__":
    sys.exit(main())
