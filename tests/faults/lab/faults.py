"""Faults that need no privilege, each counted when it truly hit."""
import os
import signal

from .marks import now_ms  # noqa: F401  (for the rows)
from .stack import procs, wait_for

AGENT_SIDE = ("link", "warden", "keeper", "worker")
BACKEND_SIDE = ("gateway", "control", "redis", "supervisor")


class Kill:
    """What was killed when: at_ms decides later whether commands were open then."""

    def __init__(self, role, agent, at_ms):
        self.role, self.agent, self.at_ms = role, agent, at_ms


def victims(lab, role, everyone):
    """[(process, LabAgent or None)] of a role, among `everyone` (one look at /proc for all)."""
    stack = lab.stack
    if role == "supervisor":
        return [(p, None) for p in everyone if stack.backend and p.pid == stack.backend.pid]
    if role in BACKEND_SIDE:
        if stack.backend is None:
            return []
        return [(p, None) for p in stack.backend_processes(everyone)
                if stack.role_of(p) == role]
    found = []
    for agent in lab.agents:
        if not agent.running():
            continue
        if role == "warden":
            found += [(p, agent) for p in everyone if p.pid == agent.process.pid]
        else:
            found += [(p, agent) for p in procs.descendants(agent.process.pid, everyone)
                      if p.argv[1:2] == [role]]
    return found


def kill_one(process):
    """kill -9; True if it was alive then and is dead now."""
    if not process.alive():
        return False
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    wait_for(lambda: not process.alive(), 10, lambda: f"does not die: {process}", every=0.002)
    return True


def freeze(process):
    process.kill(signal.SIGSTOP)


def thaw(process):
    process.kill(signal.SIGCONT)  # it may have been ended by one that was thawed before


def flush_redis(lab):
    redis = lab.stack.redis()
    keys = redis.call("DBSIZE")
    redis.call("FLUSHALL")
    redis.close()
    lab.bites.hit("flushed", keys > 0)
    return keys
