#!/usr/bin/env python3
"""Fails on a .proto file that breaks the rules of the wire formats.

usage: check_proto.py [ROOT]

Package = path = version; lite runtime; each message, service or enum stands in a file that says what
it is; an enum's zero is ..._UNSPECIFIED and every value has the enum's prefix; numbers used once.
"""
import pathlib
import re
import sys


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def blocks(text, kind):
    """(name, body) of every message or enum, nested ones too."""
    for match in re.finditer(rf"\b{kind}\s+(\w+)\s*\{{", text):
        depth, at = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        yield match.group(1), text[match.end():at - 1]


def complaints(root):
    for file in sorted((root / "proto").rglob("*.proto")):
        path = file.relative_to(root / "proto")
        raw = file.read_text()
        text = re.sub(r"//[^\n]*", "", raw)
        if not raw.startswith("// "):
            yield f"{path}: the first line says what the file is"
        if f"package {'.'.join(path.parts[:-1])};" not in text:
            yield f"{path}: the package is not the path"
        if not re.fullmatch(r"v[1-9]\d*", path.parts[-2]):
            yield f"{path}: lies in no version's folder"
        if "optimize_for = LITE_RUNTIME" not in text:
            yield f"{path}: not for the lite runtime"
        for name, body in blocks(text, "enum"):
            values = re.findall(r"(\w+)\s*=\s*(\d+)\s*;", body)
            if not values or values[0] != (f"{snake(name)}_UNSPECIFIED", "0"):
                yield f"{path}: {name} does not begin with {snake(name)}_UNSPECIFIED = 0"
            for value, _ in values:
                if not value.startswith(snake(name) + "_"):
                    yield f"{path}: {value} lacks the prefix {snake(name)}_"
            if len({n for _, n in values}) != len(values):
                yield f"{path}: {name} uses a number twice"


def main():
    here = pathlib.Path(__file__).resolve().parents[2]
    found = list(complaints(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else here))
    print("\n".join(found) or "proto: nothing to complain about")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
