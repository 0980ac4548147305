"""The backend's processes killed at exact system calls, in the middle of submits and deliveries.

The shim runs in holdfastd all the time (it is a dynamic program), and is told the next hit: "control,
at the second fsync of the ledger, before it". What ships is what is killed; no test build is needed.
"""
import statistics
import time

from lab.marks import now_ms
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for
from rows_link import is_over
from rows_redis import finish

POINTS = Spec(gateways=2, agents=4, prepare="plan")
TRIES = 4          # a plan whose call does not come is planned anew, with a smaller number
HIT_SECONDS = 10


class Turn:
    """One hit: when, and the marks that were submitted around it."""

    def __init__(self, at_ms, marks):
        self.at_ms, self.marks, self.again_ms = at_ms, marks, None


def hit_once(lab, role, family, calls, do, most):
    """Submits while a hit is planned; the Turn if it came, else None."""
    before = {p.pid for p in lab.stack.processes(role)}
    for tries in range(TRIES):
        lab.plan.arm(role, family, calls, 1 if tries else lab.rng.randint(1, most), do)
        mark, argv = lab.marks.exec(lab.agents, lab.rng.randrange(200), 1)
        lab.client.submit(mark, argv)
        turn = None
        end = time.monotonic() + bound(lab, HIT_SECONDS)
        # The call may come after the submit was answered: a receipt is written to the ledger, too.
        while turn is None and time.monotonic() < end:
            lab.client.pump()
            if lab.plan.was_hit():
                turn = Turn(now_ms(), {mark.id})
            elif not lab.client.calls and is_over(lab, mark):
                break
            time.sleep(0.002)
        if turn is not None:
            turn.again_ms = restarted_ms(lab, role, before)
            wait_for(lambda: lab.client.pump() or not lab.client.calls, bound(lab, 90), "submits hang")
            return turn
        wait_for(lambda: lab.client.pump() or not lab.client.calls, bound(lab, 90), "submits hang")
    lab.plan.disarm()
    return None


def restarted_ms(lab, role, before):
    """When the supervisor had the next process of that role started."""
    wait_for(lambda: {p.pid for p in lab.stack.processes(role)} - before, bound(lab, 20),
             f"no new {role}", every=0.005)
    return now_ms()


def hits(lab, n, name, *where):
    """n turns; the figures, and the turns that hit."""
    figures, turns = {"hits": 0}, []
    rows = {}
    for turn in range(n):
        hit = hit_once(lab, *where)
        lab.bites.hit(name, hit is not None)
        if hit is not None:
            figures["hits"] += 1
            turns.append(hit)
        cuts_links = where[0] == "gateway"
        if cuts_links or turn % 5 == 4 or turn == n - 1:
            finish(lab, bound(lab, 60), figures)
            if cuts_links:
                lab.forget_failed_dials()
            for row in lab.last_verdict.ledger.deliveries:
                rows.setdefault(row["mark"], []).append(row)
    for turn in turns:
        turn.rows = [row for mark in turn.marks for row in rows.get(mark, ())]
    return figures, turns


def slowest(lab, figures, turns, name, since, seconds):
    """From a moment of the hit to the receipt of the endpoint, of what had none before."""
    waits = [max(0, row["received_ms"] - since(turn)) / 1000 for turn in turns for row in turn.rows
             if row["received_ms"] and row["received_ms"] > turn.at_ms]
    lab.bites.hit("delivered after the hit", len(waits))
    if waits:
        figures[f"slowest_{name}_s"] = round(max(waits), 2)
        figures[f"median_{name}_s"] = round(statistics.median(waits), 2)
        assert max(waits) <= bound(lab, seconds), figures


@register(id="A1", fault="control killed before a commit (at an fsync of the ledger)", spec=POINTS,
          figure="200: the retry gives the same id, 0 double",
          n={"commit": 1, "nightly": 50, "release": 200},
          must_bite=("killed before a commit", "same id after it"))
def before_commit(lab, n):
    figures, turns = hits(lab, n, "killed before a commit", "control", "-", "fsync", "kill", 3)
    ids = {mark_id: mark for mark_id, mark in lab.marks.made.items() if mark.status == "ok"}
    for turn in turns:
        for mark_id in turn.marks & ids.keys():
            in_ledger = lab.last_verdict.ledger.commands[mark_id]["digest"].hex()
            assert in_ledger == ids[mark_id].job, f"{mark_id}: {in_ledger} is not {ids[mark_id].job}"
            lab.bites.hit("same id after it")
    return figures


@register(id="A2", fault="control killed between a commit and its XADD", spec=POINTS,
          figure="200: at the endpoint <= 2 s after the restart",
          n={"commit": 3, "nightly": 50, "release": 200},
          must_bite=("killed before an XADD", "delivered after the hit"))
def before_add(lab, n):
    figures, turns = hits(lab, n, "killed before an XADD", "control", "unix", "send", "kill", 4)
    slowest(lab, figures, turns, "after_restart", lambda turn: turn.again_ms, 2)
    return figures


@register(id="A3", fault="a gateway killed before it writes to an agent's socket", spec=POINTS,
          figure="500: redelivered <= 10 s, 0 lost",
          n={"commit": 3, "nightly": 50, "release": 500},
          must_bite=("killed before a write", "delivered after the hit"))
def before_write(lab, n):
    figures, turns = hits(lab, n, "killed before a write", "gateway", lab.stack.agent_port, "send", "kill", 4)
    slowest(lab, figures, turns, "redelivery", lambda turn: turn.at_ms, 10)
    return figures


@register(id="A4", fault="a gateway killed after it wrote to an agent's socket", spec=POINTS,
          figure="500: duplicates seen, 1 effect each",
          n={"commit": 2, "nightly": 50, "release": 500},
          must_bite=("killed after a write", "delivered again"))
def after_write(lab, n):
    figures, turns = hits(lab, n, "killed after a write", "gateway", lab.stack.agent_port, "send", "killafter", 4)
    slowest(lab, figures, turns, "redelivery", lambda turn: turn.at_ms, 10)
    return figures
