#!/usr/bin/env python3
"""Fails when a file reaches further than its layer may. The rules: layers.txt.

usage: check_layers.py [ROOT]      ROOT defaults to the tree this script lies in

It reads text, not code: a wrapper function can still hide a clock. Reviews catch that; this catches
the include that nobody noticed.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'\s*#\s*include\s+(<[^>]+>|"[^"]+")')
PLAIN_STD = re.compile(r"<[a-z_]+>")  # <vector>, <cstdint>; <unistd.h> and <mbedtls/...> need a row
# Standard headers that reach the outside world, or another thread: only where a row names them.
OUTSIDE_STD = {f"<{name}>" for name in (
    "atomic condition_variable csignal cstdio ctime filesystem fstream future iostream mutex "
    "random semaphore shared_mutex stop_token thread").split()}
AMBIENT = re.compile(r"\b(?:now|sleep_for|sleep_until|usleep|rand|getenv)\s*\(")


def read_rules(text):
    rules = {}
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if line:
            folder, _, allowed = line.partition(":")
            rules[folder.strip()] = allowed.split()
    return rules


def inside(path, folder):
    return path == folder or path.startswith(folder + "/")


def layer_of(path, rules):
    return max((f for f in rules if inside(path, f)), key=len, default=None)


def may_include(target, mine, rules):
    allowed = rules[mine]
    if target.startswith('"'):
        path = target.strip('"')
        if path.startswith("holdfast/") and path.endswith(".pb.h"):
            path = "proto/" + path  # generated from there
        theirs = layer_of(path, rules)
        return theirs is not None and (
            theirs == mine or "*" in allowed or any(inside(path, a) for a in allowed))
    if any(target.startswith(a) for a in allowed if a.startswith("<")):
        return True
    return bool(PLAIN_STD.fullmatch(target)) and ("*" in allowed or target not in OUTSIDE_STD)


def complaints(root):
    rules = read_rules((root / "tests/lint/layers.txt").read_text())
    # What others make and remove in build/ meanwhile is not looked into.
    tops = [top for top in root.iterdir() if top.name != "build" and not top.name.startswith(".")]
    for file in sorted(p for top in tops for p in (top.rglob("*") if top.is_dir() else [top]) if p.suffix in (".h", ".cc")):
        path = file.relative_to(root).as_posix()
        mine = layer_of(path, rules)
        if mine is None:
            yield f"{path}: lies in no layer; give its folder a row in tests/lint/layers.txt"
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if match and not may_include(match.group(1), mine, rules):
                yield f"{path}:{number}: {mine} may not include {match.group(1)}"
            call = AMBIENT.search(line.split("//")[0])
            if call and not {"*", "ambient"} & set(rules[mine]):
                yield f"{path}:{number}: {mine} may not call {call.group(0)}): it is an argument here"


def main():
    here = pathlib.Path(__file__).resolve().parents[2]
    found = list(complaints(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else here))
    print("\n".join(found) or "layers: nothing to complain about")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
