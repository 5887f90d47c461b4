"""Print the section of CHANGELOG.md for a version.

    python .ci/release_notes.py v0.1.0

The version must be that of skunmix and CITATION.cff. Without an argument, print the section
"Unreleased".
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def section(name):
    """Return the text below a heading of the change log, which ends at the next heading."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(
        rf"^## \[?{re.escape(name)}\]?(?: .*)?\n(.*?)(?=^## |\Z)", changes, re.MULTILINE | re.DOTALL
    )
    if not found or not found[1].strip():
        sys.exit(f'Expected a section "## {name}" in CHANGELOG.md; write it before the tag.')
    return found[1].strip()


def stated(path, pattern):
    """Return the version that a file states."""
    return re.search(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)[1]


def main(tag=None):
    """Check the versions, and print the notes."""
    if tag is None:
        print(section("Unreleased"))
        return
    version = tag.removeprefix("v")
    for path, pattern in {
        "skunmix/__init__.py": r'^__version__ = "(.*)"',
        "CITATION.cff": r"^version: (.*)",
    }.items():
        found = stated(path, pattern)
        if found != version:
            sys.exit(f"Expected version {version} in {path}, got {found}; correct it, or the tag.")
    print(section(version))


if __name__ == "__main__":
    main(*sys.argv[1:])
