"""The backend's processes killed at exact system calls, in the middle of submits and deliveries.

The shim runs in holdfastd all the time (it is a dynamic program), and is told the next hit: "control,
at the second fsync of the ledger, before it". What ships is what is killed; no test build is needed.
"""
import time

from lab.rows import Spec, register
from lab.shim import Plan
from lab.slack import bound
from lab.stack import wait_for
from rows_redis import finish

POINTS = Spec(gateways=2, agents=4, prepare="plan")
TRIES = 4          # a plan whose call does not come is planned anew, with a smaller number
HIT_SECONDS = 10


def hit_once(lab, role, family, calls, do, most):
    """Submits while a hit is planned; True if it came."""
    for tries in range(TRIES):
        lab.plan.arm(role, family, calls, 1 if tries else lab.rng.randint(1, most), do)
        lab.client.submit(*lab.marks.exec(lab.agents, lab.rng.randrange(200), 1))
        end = time.monotonic() + bound(lab, HIT_SECONDS)
        while not lab.plan.was_hit() and time.monotonic() < end and lab.client.calls:
            lab.client.pump()
            time.sleep(0.01)
        wait_for(lambda: lab.client.pump() or not lab.client.calls, bound(lab, 90), "submits hang")
        if lab.plan.was_hit():
            return True
    lab.plan.disarm()
    return False


def hits(lab, n, name, *where):
    figures = {"hits": 0}
    for turn in range(n):
        hit = hit_once(lab, *where)
        lab.bites.hit(name, hit)
        figures["hits"] += hit
        if turn % 5 == 4 or turn == n - 1:
            finish(lab, bound(lab, 60), figures)
    return figures


def slowest(lab, figures, later, earlier, seconds):
    """From one step of the ledger to a later one, over all deliveries of this row."""
    waits = [(r[later] - r[earlier]) / 1000 for r in lab.last_verdict.ledger.deliveries
             if r["mark"] in lab.marks.made and r[later] and r[earlier]]
    figures[f"slowest_{later[:-3]}_s"] = max(waits)
    assert max(waits) <= bound(lab, seconds), figures


@register(id="A1", fault="control killed before a commit (at an fsync of the ledger)", spec=POINTS,
          figure="200: the retry gives the same id, 0 double",
          n={"commit": 3, "nightly": 50, "release": 200}, must_bite=("killed before a commit",))
def before_commit(lab, n):
    return hits(lab, n, "killed before a commit", "control", "-", "fsync", "kill", 3)


@register(id="A2", fault="control killed between a commit and its XADD", spec=POINTS,
          figure="200: at the endpoint <= 10 s later",
          n={"commit": 3, "nightly": 50, "release": 200}, must_bite=("killed before an XADD",))
def before_add(lab, n):
    figures = hits(lab, n, "killed before an XADD", "control", "unix", "send", "kill", 4)
    slowest(lab, figures, "received_ms", "accepted_ms", 15)
    return figures


@register(id="A3", fault="a gateway killed before it writes to an agent's socket", spec=POINTS,
          figure="500: redelivered <= 10 s, 0 lost",
          n={"commit": 3, "nightly": 50, "release": 500}, must_bite=("killed before a write",))
def before_write(lab, n):
    figures = hits(lab, n, "killed before a write", "gateway", "inet", "send", "kill", 4)
    slowest(lab, figures, "received_ms", "sent_ms", 15)
    return figures


@register(id="A4", fault="a gateway killed after it wrote to an agent's socket", spec=POINTS,
          figure="500: duplicates seen, 1 effect each",
          n={"commit": 3, "nightly": 50, "release": 500},
          must_bite=("killed after a write", "delivered again"))
def after_write(lab, n):
    return hits(lab, n, "killed after a write", "gateway", "inet", "send", "killafter", 4)
