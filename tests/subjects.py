"""Checks commit subjects: `area: Sentence.`, for instance `crypto: Verify ECDSA by interleaved wNAF.`

Without arguments: the commits since origin/main, else the last 20. `--message FILE` checks one message (git's hook).
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUBJECT = re.compile(r"[a-z0-9_./]+(, [a-z0-9_./]+)*: [A-Z].*\.")


def is_good(subject: str) -> bool:
    return SUBJECT.fullmatch(subject) is not None


def git(*args: str) -> list[str] | None:
    """Return git's lines, or None where there is no git, no repository or no such commit."""
    try:
        done = subprocess.run(["git", "-C", ROOT, *args], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.splitlines()


def subjects() -> list[str] | None:
    """Return `hash subject` of the commits to look at; None when the history cannot be read."""
    log = ("log", "--no-merges", "--format=%h %s")
    return git(*log, "origin/main..HEAD") or git(*log, "-20")


def main(args: list[str]) -> int:
    if args[:1] == ["--message"]:
        lines = ["new " + Path(args[1]).read_text(encoding="utf-8").partition("\n")[0]]
    else:
        lines = subjects()
    if lines is None:
        print("No git history here: commit subjects are not checked.")
        return 0
    bad = [line for line in lines if not is_good(line.partition(" ")[2])]
    for line in bad:
        print(f"{line}\n  a commit subject reads `area: Sentence.`", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
