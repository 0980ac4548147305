"""The agent's warden is killed, or its disk fails, at each system call of a whole flow.

The flow: start, journal, dial, one command with an effect and one result of five chunks, from
RECEIVED to forgotten. A run that only counts says how many calls there are; each is then broken.
"""
import collections

from lab import shim
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for

BATCH = Spec(gateways=1, agents=8, program=shim.DYNAMIC_AGENT.name)
FIVE_CHUNKS = 5 * 256 * 1024 - 77
FLOW_SECONDS = 30


class Point:
    """The `at`-th call of a kind, of one agent, to break; at 0: none, of all kinds."""

    def __init__(self, at, do, kind):
        self.at, self.do, self.kind = at, do, kind


def begin_flow(lab, agents, may):
    for agent in lab.agents:
        if agent.running():
            agent.stop()
    for mark, argv in (lab.marks.exec(agents, 0, 1), lab.marks.get(agents, FIVE_CHUNKS)):
        mark.may |= may
        lab.client.submit(mark, argv)
        lab.client.drain()
        assert mark.status == "ok", mark.words


def run_flow(lab, points, may=frozenset()):
    """One flow on as many agents as there are points; the calls that each agent made."""
    agents = lab.agents[:len(points)]
    begin_flow(lab, agents, may)
    logs = []
    for agent, point in zip(agents, points):
        log = lab.stack.dir / f"shim-{agent.name}.log"
        log.unlink(missing_ok=True)
        logs.append(log)
        agent.more_env = shim.environment(f"{agent.state}/", log, point.at, point.do, point.kind)
        agent.start()
        agent.more_env = {}

    def over():
        for agent in lab.agents:
            if not agent.running():  # killed, or ended by itself: started again, without the shim
                agent.stop()
                agent.start()
        return not lab.stack.holdfast("jobs", "--open").json()
    wait_for(over, bound(lab, FLOW_SECONDS), "the flow does not end", every=0.25)
    for agent, log in zip(agents, logs):  # what was not reached must not hit the checker's questions
        if not any(hit for *_, hit in shim.read(log)):
            agent.stop()
            agent.start()
    lab.quiesce(bound(lab, 60))
    lab.judge().require_clean()
    return [shim.read(log) for log in logs]


def count_calls(lab):
    """How many of each kind a whole flow has. Points are numbered within their kind: no flow makes all
    its calls in the same order as the one before."""
    (seen,) = run_flow(lab, [Point(0, "", shim.ALL_CALLS)])
    assert len(seen) > 8, f"the shim sees only {seen}"
    return collections.Counter("send" if path.startswith("socket:") else call
                               for _, call, path, _ in seen)


def interleave(rng, groups):
    """All points in an order by chance, but so that the first ones are of every group."""
    for points in groups.values():
        rng.shuffle(points)
    most = max(len(points) for points in groups.values())
    return [points[i] for i in range(most) for points in groups.values() if i < len(points)]


def run_all(lab, points, may=frozenset()):
    figures = {"points": 0, "not_reached": 0}
    width = len(lab.agents)
    for first in range(0, len(points), width):
        batch = points[first:first + width]
        for point, seen in zip(batch, run_flow(lab, batch, may)):
            was_hit = any(hit for *_, hit in seen)
            lab.bites.hit(f"{point.do} at {point.kind}" if was_hit else "call not reached")
            figures["points" if was_hit else "not_reached"] += 1
        if first // width % 10 == 9:
            lab.say(f"  {first + len(batch)} of {len(points)} points")
    return figures


@register(id="A6", fault="warden killed at every write, fsync, rename, unlink, truncate and send",
          figure="every k, before, after and in the middle: I1-I5", spec=BATCH,
          n={"commit": 48, "nightly": 2000, "release": 2000},
          must_bite=("kill at write", "kill at fsync", "kill at send", "tear at write"))
def every_call(lab, n):
    calls = count_calls(lab)
    # The k-th of its kind: how many sends there are varies from flow to flow, and must not move the others.
    groups = {}
    for kind, times in calls.items():
        for do in ("kill", "killafter", *(("tear",) if kind in ("write", "send") else ())):
            groups[do, kind] = [Point(k, do, kind) for k in range(1, times + 1)]
    points = interleave(lab.rng, groups)
    figures = run_all(lab, points[:n])
    return {"calls_in_flow": calls.total(), "possible": len(points), **figures}


@register(id="D2", fault="EIO at the k-th fsync, and at the k-th write, of the agent",
          figure="every k: reopened and verified, no receipt for it: I1-I5", spec=BATCH,
          n={"commit": 8, "nightly": 1000, "release": 1000},
          must_bite=("eio at fsync", "eio at write"))
def fsync_fails(lab, n):
    lab.may_linger = True
    calls = count_calls(lab)
    groups = {kind: [Point(k, "eio", kind) for k in range(1, calls[kind] + 1)]
              for kind in ("fsync", "write")}
    points = interleave(lab.rng, groups)
    # A journal that had to be begun anew refuses what is older than itself.
    return {"possible": len(points), **run_all(lab, points[:n], may={"REFUSED", "INTERRUPTED"})}
