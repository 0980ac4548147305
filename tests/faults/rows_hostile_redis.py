"""A Redis that lies: nobody's memory grows, nobody dies of it, and all goes on with an honest one."""
import pathlib
import re
import time

from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for
from proxy.redis_front import KINDS
from rows_redis import finish, load_up, question_answered

FRONTED = Spec(gateways=2, agents=4, prepare="front")
ROLES = ("gateway", "control")
MOST_GROWTH_BYTES = 64 << 20
LEAVE_SECONDS = 10    # silence is one of the lies, and noticed after 4 s
RECOVER_SECONDS = 5
# What Redis does by itself is no reason to suspect it; whoever reads the log must see that this was not that.
NO_REASON = re.compile(r'error="[^"]*(closed by Redis|Connection refused)"')


def reset_peak(process):
    """From here on VmHWM is the peak of what follows (proc(5), clear_refs)."""
    pathlib.Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return process.peak_rss()


def losses(lab):
    text = lab.stack.log.read_text(errors="replace")
    return [line for line in text.splitlines() if "event=redis_lost" in line]


def reasons(lines):
    return sorted({found.group(1) for line in lines if (found := re.search(r'sock: ([^"]*)"', line))})


@register(id="B11", fault="Redis answers with lies: 2^31 elements, 10,000 deep, without end, garbage, halves; n times",
          figure="gateway, control: <= +64 MiB, link dropped and why is logged, service <= 5 s after, 0 lost",
          spec=FRONTED, n={"nightly": 20, "release": 100},
          must_bite=(*KINDS, "gateway left", "control left", "lied to while work was open"))
def lies(lab, n):
    figures = {"most_growth_mib": 0, "left_s": 0.0, "recovery_s": 0.0}
    names = list(KINDS)
    for turn in range(n):
        watched = {role: lab.stack.processes(role) for role in ROLES}
        base = {p.pid: reset_peak(p) for role in ROLES for p in watched[role]}
        said = len(losses(lab))
        load_up(lab, 2 * len(lab.agents))
        kind, side = names[turn % len(names)], lab.rng.choice(("", "", "write"))
        sent = lab.front.sent[kind]
        lab.front.be_hostile(kind, side, after=lab.rng.choice((0, 2, 3)))
        try:
            took = all_have_left(lab, watched, kind)
        finally:
            lab.front.be_honest()
        lab.bites.hit(kind, lab.front.sent[kind] - sent)
        figures["left_s"] = round(max(figures["left_s"], took), 1)
        took = question_answered(lab, bound(lab, RECOVER_SECONDS), f"after {kind}")
        figures["recovery_s"] = round(max(figures["recovery_s"], took), 2)
        for role in ROLES:
            for process in watched[role]:
                assert process.alive(), f"{kind}: a {role} died"
                growth = process.peak_rss() - base[process.pid]
                figures["most_growth_mib"] = max(figures["most_growth_mib"], growth >> 20)
                assert growth <= MOST_GROWTH_BYTES, f"{kind}: a {role} grew by {growth >> 20} MiB"
        lines = losses(lab)[said:]
        good = [line for line in lines if not NO_REASON.search(line)]
        lab.say(f"  {kind}: {reasons(good)}")
        assert len(good) >= len(base), f"{kind}: the log does not say why: {lines}"
        finish(lab, bound(lab, 60), figures)
    return figures


def all_have_left(lab, watched, kind):
    """Until every process has closed a link on which it was lied to; commands are given meanwhile."""
    began = time.monotonic()

    def left():
        lab.client.pump()
        if not lab.client.busy():
            lab.client.submit(*lab.marks.exec(lab.agents, 0, 1))
            lab.bites.hit("lied to while work was open")
        return all(lab.front.left[p.pid] for role in ROLES for p in watched[role])
    wait_for(left, bound(lab, LEAVE_SECONDS), lambda: f"{kind}: only {dict(lab.front.left)} left the link of"
             f" {watched}", every=0.2)
    for role in ROLES:
        lab.bites.hit(f"{role} left", sum(lab.front.left[p.pid] for p in watched[role]))
    return time.monotonic() - began
