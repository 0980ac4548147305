"""The shim of tests/faults/shim/fault_shim.c: its environment, and what it wrote down."""
from .stack import BIN

DYNAMIC_AGENT = BIN / "holdfast-agent-dyn"
LIBRARY = BIN / "libfault_shim.so"
ALL_CALLS = "write fsync rename unlink truncate send"


def environment(prefix, log, at=0, do="", calls=ALL_CALLS, sleep_ms=0, guard=""):
    return {"LD_PRELOAD": str(LIBRARY), "HF_SHIM_PREFIX": str(prefix), "HF_SHIM_LOG": str(log),
            "HF_SHIM_AT": str(at), "HF_SHIM_DO": do, "HF_SHIM_CALLS": calls,
            "HF_SHIM_SLEEP": str(sleep_ms), "HF_SHIM_WHILE": str(guard)}


def read(log):
    """[(k, call, path, hit)]"""
    found = []
    for line in log.read_text().splitlines() if log.exists() else []:
        words = line.split(" ")
        hit = words[0] == "!"
        k, call, path = words[1:4] if hit else words[:3]
        found.append((int(k), call, path, hit))
    return found
