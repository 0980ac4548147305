"""Bytes that kill whoever parses them (tests/faults/shim/poison_shim.cc), and what they did."""
import re

from .stack import BIN

LIBRARY = BIN / "libpoison_shim.so"
FRAME, RESULT = "holdfast.link.v1.Frame", "holdfast.command.v1.Result"


def environment(*poisons):
    """For holdfastd. poisons: (role, type of message, text in it)."""
    return {"LD_PRELOAD": str(LIBRARY), "HF_POISON": ";".join(" ".join(p) for p in poisons)}


def deaths(log, role):
    """How many processes of a role crashed, says the supervisor's log."""
    return len(re.findall(rf"child_ended.* role={role} .*signal=11\b", log))
