"""Paths that swallow packets, in network namespaces of our own: both ends must notice by themselves."""
import re
import time

from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for
from rows_redis import finish, question_answered

WIRED = Spec(gateways=1, agents=2, prepare="net")
BUSY_SECONDS, IDLE_SECONDS = 45, 90


def closed_links(agent):
    return len(re.findall("event=link_closed", agent.log.read_text(errors="replace")))


def links(lab):
    return lab.stack.metrics().get("holdfast_links", 0)


@register(id="C2", fault="packets vanish one way (down, then up), with work open and idle; n times",
          figure="both ends notice <= 45 s with work open, <= 90 s idle", spec=WIRED,
          n={"nightly": 4, "release": 12}, must_bite=("cut down", "cut up"))
def one_way(lab, n):
    figures = {}
    for turn in range(n):
        way, busy = ("down", "up")[turn % 2], turn % 4 < 2
        if busy:
            lab.client.submit(*lab.marks.exec(lab.agents, 75_000, 1))
            lab.client.drain()
            time.sleep(1.0)
        before = {a.name: closed_links(a) for a in lab.agents}
        lab.wire.cut(way)
        lab.bites.hit(f"cut {way}")
        began = time.monotonic()
        try:
            name = f"{'busy' if busy else 'idle'}_{way}"
            most = BUSY_SECONDS if busy else IDLE_SECONDS
            seen = {}

            def both():
                took = round(time.monotonic() - began, 1)
                if all(closed_links(a) > before[a.name] for a in lab.agents):
                    seen.setdefault("agent", took)
                if links(lab) == 0:
                    seen.setdefault("gateway", took)
                return len(seen) == 2
            wait_for(both, bound(lab, most + 5), lambda: f"{name}: noticed only by {seen}", every=0.5)
            for end, took in seen.items():
                figures[f"{name}_{end}_s"] = max(figures.get(f"{name}_{end}_s", 0), took)
                assert took <= most + bound(lab, 2), f"{name}: the {end} noticed after {took} s"
        finally:
            lab.wire.heal()
        question_answered(lab, bound(lab, 75), "after the path healed")
        finish(lab, bound(lab, 90), figures)
    return figures
