"""Enrolment bundles, taken apart and put together again with something else in them."""
import base64
import re

from . import wire

TEXT = re.compile(rb"-----BEGIN HOLDFAST BUNDLE-----\s+(.*?)-----END HOLDFAST BUNDLE-----", re.S)
NUMBERS = {"server": 3, "ca": 4}  # fields of holdfast.command.v1.Bundle


def edit(path, **fields):
    """In the file itself: its servers or its CA replaced; the path."""
    packed = b"".join(TEXT.search(path.read_bytes()).group(1).split())
    data = base64.urlsafe_b64decode(packed + b"=" * (-len(packed) % 4))
    for name, value in fields.items():
        kept = [(n, v) for n, v in wire.decode(data) if n != NUMBERS[name]]
        data = wire.encode(sorted(kept + [(NUMBERS[name], value)], key=lambda f: f[0]))
    text = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    lines = [text[i:i + 76] for i in range(0, len(text), 76)]
    path.write_text("\n".join(["-----BEGIN HOLDFAST BUNDLE-----", *lines,
                               "-----END HOLDFAST BUNDLE-----", ""]))
    return path
