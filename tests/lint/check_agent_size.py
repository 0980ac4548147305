#!/usr/bin/env python3
"""The agent's program: no larger than its processor's figure, stripped, and one static file (no interpreter, nothing NEEDED).

    check_agent_size.py FILE      exit 77 (skipped) when there is no release build
"""
import os
import struct
import sys

MAX_BYTES = 4_000_000  # x86-64, and whatever else
SMALLER = {183: 3_500_000, 40: 2_500_000}  # by ELF's number of the machine: AArch64; ARM of 32 bits, with and without a floating-point unit
PT_DYNAMIC, PT_INTERP, DT_NEEDED, SHT_SYMTAB = 2, 3, 1, 2


def limit(data):
    return SMALLER.get(struct.unpack_from("<H", data, 18)[0], MAX_BYTES)


def complaints(data):
    """What is wrong with an ELF file, as sentences."""
    if data[:4] != b"\x7fELF":
        return ["is not an ELF file"]
    out = []
    max_bytes = limit(data)
    if len(data) > max_bytes:
        out.append(f"has {len(data)} bytes, {len(data) - max_bytes} more than {max_bytes}; what grew: "
                   "link with -Wl,-Map=FILE (docs/decisions/0011)")
    wide = data[4] == 2
    head = struct.unpack_from("<QQIHHHHHH" if wide else "<IIIHHHHHH", data, 32 if wide else 28)
    program_at, section_at, _, _, program_size, programs, section_size, sections, _ = head
    for i in range(programs):
        at = program_at + i * program_size
        kind = struct.unpack_from("<I", data, at)[0]
        if kind == PT_INTERP:
            out.append("asks for an interpreter: it is not static")
        if kind == PT_DYNAMIC:
            offset, size = (struct.unpack_from("<Q", data, at + k)[0] for k in (8, 32)) if wide else (
                struct.unpack_from("<I", data, at + k)[0] for k in (4, 16))
            step = 16 if wide else 8
            tags = [struct.unpack_from("<Q" if wide else "<I", data, k)[0] for k in range(offset, offset + size, step)]
            if DT_NEEDED in tags:
                out.append("needs a shared library: it is not static")
    for i in range(sections):
        if struct.unpack_from("<I", data, section_at + i * section_size + 4)[0] == SHT_SYMTAB:
            out.append("has a symbol table: it is not stripped")
    return out


def main(args):
    if not os.path.exists(args[0]):
        print(f"skipped: no {args[0]}")
        return 77
    with open(args[0], "rb") as file:
        data = file.read()
    found = complaints(data)
    for line in found:
        print(f"{args[0]} {line}", file=sys.stderr)
    if not found:
        print(f"agent size: {len(data)} of at most {limit(data)} bytes, static, stripped")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
