#!/usr/bin/env python3
"""Fails on a file or a function that has outgrown what one person can hold in mind.

usage: check_budgets.py [ROOT]

A source file: warned about from 400 lines, refused from 800. A function: refused above 70 lines.
Functions are found by indentation, which clang-format keeps honest; clang-tidy counts them exactly.
"""
import pathlib
import re
import sys

WARN_LINES, MAX_LINES = 400, 800
MAX_FUNCTION_LINES = 70
FOLDERS = ("agent", "backend", "common", "proto", "tests", "toolchains")
# What opens a block at this depth and is no function.
NO_FUNCTION = re.compile(
    r"\s*(?:namespace|class|struct|enum|union|extern|if|for|while|switch|else|do|case|default|\}"
    r"|template|public|private|protected|//|\*)\b|.*(?:=|return|\{)\s*\{$")


def head_of(lines, at):
    """The first line of the declaration that ends on line `at`: its indentation is the function's."""
    while at > 0:
        before = lines[at - 1].strip()
        if not before or before.startswith(("//", "#")) or before.endswith((";", "}", "{", ":")):
            break
        at -= 1
    return at


def functions(lines):
    """(line number, lines) of every outermost block that looks like a function's body."""
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.endswith("{") and not NO_FUNCTION.match(line) and (")" in line or ":" in line):
            head = lines[head_of(lines, at)]
            indent = len(head) - len(head.lstrip())
            end = next((n for n in range(at + 1, len(lines))
                        if lines[n].startswith(" " * indent + "}")), at)
            yield at + 1, end - at - 1
            at = end
        at += 1


def complaints(root):
    """(is it an error, text)"""
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in (".h", ".cc", ".py", ".proto", ".cmake", ".sh"):
                continue
            path = file.relative_to(root).as_posix()
            lines = file.read_text().splitlines()
            if len(lines) >= WARN_LINES:
                yield (len(lines) >= MAX_LINES,
                       f"{path}: {len(lines)} lines (split from {WARN_LINES}, never {MAX_LINES})")
            if file.suffix in (".h", ".cc"):
                for number, length in functions(lines):
                    if length > MAX_FUNCTION_LINES:
                        yield (True, f"{path}:{number}: a function of {length} lines "
                                     f"(at most {MAX_FUNCTION_LINES})")


def main():
    here = pathlib.Path(__file__).resolve().parents[2]
    found = list(complaints(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else here))
    for error, text in found:
        print(("" if error else "note: ") + text)
    failed = any(error for error, _ in found)
    print("budgets: over" if failed else "budgets: kept")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
