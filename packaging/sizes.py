#!/usr/bin/env python3
"""./dev package sizes: the agents and packages that were built, weighed, into the table of docs/operations/install.md.

    sizes.py --version V

A row whose program or package is not in build/ stays as it is, and is named. The figures are the size check's own
(tests/lint/check_agent_size.py), by what the program says of its processor.
"""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/lint"))
import check_agent_size  # noqa: E402

PAGE = ROOT / "docs/operations/install.md"
BUILDS = {"amd64": "release", "arm64": "aarch64-linux-gnu", "armhf": "arm-linux-gnueabihf", "armel": "arm-linux-gnueabi"}


def megabytes(count):
    return f"{count / 1e6:.2f} MB"


def weighed(arch, version):
    """The cells behind the first two, or why there are none."""
    program = ROOT / "build" / BUILDS[arch] / "bin/holdfast-agent"
    packages = [ROOT / "build/packages" / name for name in (
        f"holdfast-agent_{version}_{arch}.deb", f"holdfast-agent-{version}-{arch}.tar.gz")]
    for file in (program, *packages):
        if not file.exists():
            return None, f"no {file.relative_to(ROOT)}"
    data = program.read_bytes()
    most = check_agent_size.limit(data)
    missed = ", missed" if check_agent_size.complaints(data) else ""
    return [megabytes(len(data)), f"<= {most / 1e6:g} MB{missed}", *(megabytes(p.stat().st_size) for p in packages)], None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    version = parser.parse_args().version
    text = PAGE.read_text()
    for arch in BUILDS:
        cells, why = weighed(arch, version)
        if cells is None:
            print(f"  {arch}: left as it was: {why}")
            continue
        row = re.search(rf"(?m)^\| {arch} \|([^|]*)\|.*$", text)
        made = f"| {arch} |{row[1]}| " + " | ".join(cells) + " |"
        text = text[:row.start()] + made + text[row.end():]
        print(f"  {arch}: {', '.join(cells)}")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
