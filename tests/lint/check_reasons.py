#!/usr/bin/env python3
"""Fails when a close reason or a command failure has no row in docs/errors.md, or no test names it.

usage: check_reasons.py [ROOT]
"""
import pathlib
import re
import sys

CATALOGUES = (("proto/holdfast/link/v1/close_reason.proto", "CLOSE_REASON_"),
              ("proto/holdfast/command/v1/failure.proto", "COMMAND_FAILURE_"))
TEST_SUFFIXES = (".cc", ".h", ".py", ".txt")


def values(text, prefix):
    """Names without their prefix; zero means "none" and needs no row."""
    return [name for name, number in re.findall(rf"^\s*{prefix}(\w+)\s*=\s*(\d+);", text, re.M)
            if int(number) != 0]


def complaints(root):
    rows = set(re.findall(r"^\| `(\w+)` \|", (root / "docs/errors.md").read_text(), re.M))
    tests = "\n".join(f.read_text(errors="replace") for f in (root / "tests").rglob("*")
                      if f.suffix in TEST_SUFFIXES and "lint" not in f.parts)
    known = set()
    for file, prefix in CATALOGUES:
        for name in values((root / file).read_text(), prefix):
            known.add(name)
            if name not in rows:
                yield f"{prefix}{name}: no row in docs/errors.md"
            if not re.search(rf'\b{prefix}{name}\b|"{name}"', tests):
                yield f"{prefix}{name}: no test names it"
    for name in sorted(rows - known):
        yield f"docs/errors.md: {name} is in no catalogue"


def main():
    here = pathlib.Path(__file__).resolve().parents[2]
    found = list(complaints(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else here))
    print("\n".join(found) or "reasons: each has its row and its test")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
