"""Links that a middle-box has forgotten: no FIN, no RST, and nothing gets through any more."""
import re
import time

from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for
from rows_net import BUSY_SECONDS, IDLE_SECONDS, closed_links, links
from rows_redis import finish, question_answered

MANY = Spec(gateways=2, agents=10, prepare="net")
# An idle agent beats every 60 to 73 s, and every 40 to 49 s after a cut of this kind (docs/protocol.md).
FORGOTTEN_AFTER_SECONDS = 55
# "sent into": to agents that are idle, when their links are forgotten already.
MODES = ("idle", "busy", "sent into", "busy")


def cut_links(agent):
    return len(re.findall("proc=link .*event=link_closed", agent.log.read_text(errors="replace")))


def opened_links(agent):
    return agent.log.read_text(errors="replace").count("event=link_open ")


@register(id="C3", fault="a middle-box forgets all connections, at once or one way first; n links: idle, busy, sent into",
          figure="noticed and dialled anew <= 45 s with work open, <= 90 s idle, 0 lost", spec=MANY,
          n={"nightly": 40, "release": 200}, must_bite=tuple(f"half-open {mode}" for mode in MODES))
def half_open(lab, n):
    figures = {}
    for turn in range(-(-n // len(lab.agents))):
        mode = MODES[turn % len(MODES)]
        most = BUSY_SECONDS if mode == "busy" else IDLE_SECONDS
        if mode == "busy":
            lab.client.submit(*lab.marks.exec(lab.agents, most * 1000, 1))
            lab.client.drain()
            time.sleep(1.0)
        assert links(lab) == len(lab.agents)
        before = {a.name: (closed_links(a), opened_links(a)) for a in lab.agents}
        first = lab.rng.choice(("up", "down", None))
        began = time.monotonic()
        if first:
            lab.wire.forget([first])
            time.sleep(lab.rng.uniform(0, 5))
        lab.wire.forget()
        lab.bites.hit(f"half-open {mode}", len(lab.agents))
        if mode == "sent into":
            lab.client.submit(*lab.marks.exec(lab.agents, 0, 1))
            lab.client.drain()
        back = {}

        def all_back():
            for agent in lab.agents:
                closed, opened = before[agent.name]
                if closed_links(agent) > closed and opened_links(agent) > opened:
                    back.setdefault(agent.name, time.monotonic() - began)
            return len(back) == len(lab.agents) and links(lab) == len(lab.agents)
        wait_for(all_back, bound(lab, most + 5), lambda: f"{mode}: back are {back}, {links(lab)} links",
                 every=0.5)
        took = time.monotonic() - began
        name = f"{mode.replace(' ', '_')}_s"
        figures[name] = round(max(figures.get(name, 0), took), 1)
        assert took <= most + bound(lab, 2), f"{mode}: back after {took:.1f} s"
        question_answered(lab, bound(lab, 10), "over the new links")
        finish(lab, bound(lab, 90), figures)
    return figures


@register(id="C3-nat", fault=f"a middle-box forgets what was quiet for {FORGOTTEN_AFTER_SECONDS} s; idle agents, n min",
          figure="dialled anew <= 90 s after the last word that got through; then the links stand, 0 lost", spec=MANY,
          n={"nightly": 6, "release": 60}, must_bite=("links forgotten",))
def expiry(lab, n):
    lab.wire.forget_after(FORGOTTEN_AFTER_SECONDS,
                          lambda: question_answered(lab, bound(lab, 10), "before"))
    before = {a.name: cut_links(a) for a in lab.agents}
    cuts = lambda: {a.name: cut_links(a) - before[a.name] for a in lab.agents}
    began = time.monotonic()
    # A link that was just used beats once within 30 s, to say that it is idle; from then on the minute counts.
    first = bound(lab, IDLE_SECONDS + 30)
    wait_for(lambda: min(cuts().values()) > 0, first, lambda: f"cut links: {cuts()}", every=0.5)
    figures = {"minutes": n, "all_cut_s": round(time.monotonic() - began, 1)}
    wait_for(lambda: links(lab) == len(lab.agents), bound(lab, 10), "the links do not come back", every=0.2)
    lab.bites.hit("links forgotten", sum(cuts().values()))
    time.sleep(max(0.0, 60 * n - (time.monotonic() - began)))
    figures["cuts_of_a_link"] = max(cuts().values())
    assert figures["cuts_of_a_link"] == 1, f"they do not settle: {cuts()}"
    figures["answered_s"] = round(question_answered(lab, bound(lab, 5), "at the end"), 1)
    lab.client.submit(*lab.marks.exec(lab.agents, 0, 1))
    lab.client.drain()
    finish(lab, bound(lab, 60), figures)
    return figures
