#!/usr/bin/env python3
"""Makes the files of this folder with systemd's own programs, and what journalctl reads in them.

    apt-get install systemd systemd-journal-remote; ./make.py

compact.pieces  as systemd 252 writes: offsets of 4 bytes, keyed hashes, long fields in Zstandard
plain.pieces    the older form: offsets of 8 bytes
expected.txt    journalctl's answer: time, pid, priority, unit and message in hex, of each entry

A journal file is 8 MB of which nearly all is holes: a .pieces file has what is between them, each piece after
its offset and size (8 bytes each, the lowest first). journal_pieces.h puts them back.
"""
import json
import os
import pathlib
import struct
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BOOTS = ["4f2a8c1de0b94c7d9a6b3c5d7e8f9a0b", "5a3b9d2ef1ca5d8eab7c4d6e8f9a0b1c"]
UNITS = ["ssh.service", "cron.service", "init.scope", "app.service"]
ENTRIES = 120
GAP = 64  # zeros that are not worth a piece of their own


def export():
    out = b""
    for i in range(ENTRIES):
        unit = UNITS[i % 4]
        message = f"message {i} of {unit}".encode()
        if i % 50 == 7:
            message = b"long: " + " ".join(f"word{i % 13 * j}" for j in range(200)).encode()
        if i == 33:
            message = b"two\nlines \xff\xfe\x1b[2J"
        fields = {
            "__REALTIME_TIMESTAMP": 1_700_000_000_000_000 + i * 1_500_000,
            "__MONOTONIC_TIMESTAMP": i * 1_000_000 + 5, "_BOOT_ID": BOOTS[i // 80],
            "_SYSTEMD_UNIT": unit, "PRIORITY": [6, 3, 5, 7, 4, 6, 6, 2][i % 8],
            "_PID": 1 if unit == "init.scope" else 100 + i % 5, "_UID": 0, "_GID": 0,
            "_HOSTNAME": "web01", "SYSLOG_IDENTIFIER": unit.split(".", maxsplit=1)[0],
            "_TRANSPORT": "journal", "_COMM": "program", "SYSLOG_FACILITY": 3}
        if unit == "init.scope":
            fields["UNIT"] = "ssh.service"
        out += "".join(f"{name}={value}\n" for name, value in fields.items()).encode()
        out += b"MESSAGE\n" + struct.pack("<Q", len(message)) + message + b"\n\n"
    return out


def pieces(data):
    out, at = b"", 0
    while at < len(data):
        end = data.find(bytes(GAP), at)
        end = len(data) if end < 0 else end
        if end > at:
            out += struct.pack("<QQ", at, end - at) + data[at:end]
        at = end
        while at < len(data) and data[at] == 0:
            block = data[at:at + 4096]
            at += len(block) - len(block.lstrip(b"\0"))
    return out


def main():
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "in.export")
        source.write_bytes(export())
        for name, compact in [("compact", "1"), ("plain", "0")]:
            made = pathlib.Path(folder, f"{name}.journal")
            subprocess.run(["/lib/systemd/systemd-journal-remote", "--compress=yes", "-o", made, source],
                           check=True, env={**os.environ, "SYSTEMD_JOURNAL_COMPACT": compact})
            (HERE / f"{name}.pieces").write_bytes(pieces(made.read_bytes()))
        said = subprocess.run(["journalctl", "--file", made, "-o", "json", "--all"],
                              check=True, capture_output=True).stdout
    lines = []
    for line in said.splitlines():
        entry = json.loads(line)
        message = entry["MESSAGE"]
        message = bytes(message) if isinstance(message, list) else message.encode()
        lines.append("|".join([entry["__REALTIME_TIMESTAMP"], entry["_PID"], entry["PRIORITY"],
                               entry["_SYSTEMD_UNIT"], message.hex().upper()]))
    (HERE / "expected.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
