#!/usr/bin/env python3
"""Fails when docs/operations/troubleshooting.md quotes a message that no program prints.

usage: check_messages.py [ROOT]

What stands in backticks in the first column of its tables is cut at `...`; each part must stand in the sources: in a string,
in the name of a close reason or a failure (any case), or in a script.
"""
import pathlib
import re
import sys

PAGE = "docs/operations/troubleshooting.md"
FOLDERS = ("agent", "backend", "common", "proto", "packaging")
SUFFIXES = {".cc", ".h", ".proto", ".sh"}
# Words of libraries, not ours.
FOREIGN = {"database disk image is malformed"}  # SQLite's SQLITE_CORRUPT
LEAST = 3  # letters: what is shorter, as ": ", proves nothing


def sources(root):
    """All of it as one text: neighbouring strings joined, as the compiler does, and escapes undone."""
    texts = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES:
                texts.append(path.read_text(errors="replace"))
    text = re.sub(r'"\s*\n\s*"', "", "\n".join(texts))
    return text.replace('\\"', '"').lower()


def messages(page):
    for number, line in enumerate(page.splitlines(), 1):
        if not line.startswith("| ") or line.startswith("| it says"):
            continue
        first = re.split(r"(?<!\\) \| ", line[2:], maxsplit=1)[0]
        for quoted in re.findall(r"`([^`]+)`", first):
            yield number, quoted


def complaints(root):
    text = sources(root)
    for number, message in messages((root / PAGE).read_text()):
        for part in message.split("..."):
            part = part.strip().rstrip(";:,")
            if sum(c.isalpha() for c in part) < LEAST or part in FOREIGN:
                continue
            if part.lower() not in text:
                yield f"{PAGE}:{number}: nothing prints '{part}'"


def main():
    here = pathlib.Path(__file__).resolve().parents[2]
    found = list(complaints(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else here))
    print("\n".join(found) or "messages: each is printed by a program")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
