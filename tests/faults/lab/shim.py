"""The shim of tests/faults/shim/fault_shim.c: its environment, and what it wrote down."""
from .stack import BIN

DYNAMIC_AGENT = BIN / "holdfast-agent-dyn"
LIBRARY = BIN / "libfault_shim.so"
ALL_CALLS = "write fsync rename unlink truncate send"


def environment(prefix, log, at=0, do="", calls=ALL_CALLS, sleep_ms=0, guard=""):
    return {"LD_PRELOAD": str(LIBRARY), "HF_SHIM_PREFIX": str(prefix), "HF_SHIM_LOG": str(log),
            "HF_SHIM_AT": str(at), "HF_SHIM_DO": do, "HF_SHIM_CALLS": calls,
            "HF_SHIM_SLEEP": str(sleep_ms), "HF_SHIM_WHILE": str(guard)}


def slow_redis(stack, sleep_ms, policy):
    """A program in place of redis-server: the same with an append-only file and a slow fsync; the setting for it."""
    program = stack.dir / "slow-redis-server"
    words = environment(f"{stack.fleet}/server/state/redis", stack.dir / "shim-redis.log", calls="fsync",
                        sleep_ms=int(sleep_ms))
    exports = "".join(f"export {name}='{value}'\n" for name, value in words.items())
    # The last of an option that is there twice counts.
    program.write_text(f"#!/bin/bash\n{exports}exec -a redis-server $(command -v redis-server) \"$@\""
                       f" --appendonly yes --appendfsync {policy}\n")
    program.chmod(0o755)
    return "redis", "server_program", str(program)


def read(log):
    """[(k, call, path, hit)]"""
    found = []
    for line in log.read_text().splitlines() if log.exists() else []:
        words = line.split(" ")
        hit = words[0] == "!"
        k, call, path = words[1:4] if hit else words[:3]
        found.append((int(k), call, path, hit))
    return found


class Plan:
    """For a backend that runs with the shim all the time: the next hit, one at a time."""

    def __init__(self, stack):
        self.path = stack.dir / "shim-plan"
        self.log = stack.dir / "shim-backend.log"
        stack.backend_env = {**environment(f"{stack.fleet}/server/state/ledger", self.log),
                             "HF_SHIM_PLAN": str(self.path)}

    def arm(self, role, family, calls, at, do):
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{role} {family} {calls} {at} {do}\n")
        fresh.rename(self.path)

    def was_hit(self):
        return not self.path.exists()

    def disarm(self):
        self.path.unlink(missing_ok=True)
