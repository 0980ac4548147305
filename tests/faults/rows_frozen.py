"""Processes that stand still, and wardens that die while a worker runs."""
import time

from lab import faults
from lab.marks import now_ms, read_effects
from lab.rows import register
from lab.stack import procs, wait_for
from rows_redis import FLEET, finish, question_answered


@register(id="A10", fault="gateway or control frozen (SIGSTOP) for 60 s, then thawed",
          figure="100: served elsewhere <= 20 s, 0 effects afterwards", spec=FLEET,
          n={"nightly": 6, "release": 100},
          must_bite=("frozen", "frozen with work open"))
def frozen(lab, n):
    figures = {"served_again_s": 0.0}
    for turn in range(n):
        role = ("gateway", "control")[turn % 2]
        victim = lab.rng.choice(lab.stack.processes(role))
        lab.client.submit(*lab.marks.exec(lab.agents, 1500, 1))
        lab.client.drain()
        began = time.monotonic()
        faults.freeze(victim)
        lab.bites.hit("frozen")
        lab.bites.hit("frozen with work open")
        try:
            wait_for(lambda: serves(lab), 40, f"no service with a frozen {role}", every=0.5)
            took = time.monotonic() - began
            assert took <= 20, f"a frozen {role}: served again after {took:.1f} s"
            figures["served_again_s"] = round(max(figures["served_again_s"], took), 1)
            if turn % 3 == 2:  # the whole minute now and then
                time.sleep(max(0.0, 60 - (time.monotonic() - began)))
        finally:
            faults.thaw(victim)
        finish(lab, 60, figures)
    return figures


def serves(lab):
    done = lab.stack.holdfast("query", ",".join(a.id for a in lab.agents), "SELECT 1 AS one",
                              "--wait", "3s", "--timeout", "3s", expect=None)
    if done.status not in (0, 1):
        return False
    answers = done.json()
    return len(answers) == len(lab.agents) and all(a["outcome"] == "DONE" for a in answers)


@register(id="A7", fault="warden killed while a worker runs",
          figure="200: no re-run, orphans dead <= 5 s, INTERRUPTED <= 10 s after reconnect",
          n={"commit": 4, "nightly": 40, "release": 200}, must_bite=("killed while it ran",))
def warden_killed(lab, n):
    figures = {"orphans_s": 0.0, "interrupted_s": 0.0}
    done = 0
    while done < n:
        mark, argv = lab.marks.exec(lab.agents, 8000, 1)
        lab.client.submit(mark, argv)
        lab.client.drain()
        wait_for(lambda: len([k for k in read_effects(lab.stack.effects) if k[0] == mark.id])
                 == len(lab.agents), 20, "the commands do not start")
        time.sleep(lab.rng.uniform(0, 1))
        killed = {}
        for agent in lab.agents:
            below = procs.descendants(agent.process.pid)
            killed[agent.id] = now_ms()
            began = time.monotonic()
            agent.kill()
            running = [p for p in below if p.argv and p.argv[0].endswith("holdfast-mark")]
            lab.bites.hit("killed while it ran", bool(running))
            wait_for(lambda: not any(p.alive() for p in below), 5,
                     lambda: f"orphans: {[p for p in below if p.alive()]}", every=0.01)
            figures["orphans_s"] = round(max(figures["orphans_s"], time.monotonic() - began), 2)
            agent.start()
        lab.stack.wait_online(*lab.agents)
        began = time.monotonic()
        lab.stack.holdfast("results", mark.job, "--wait", "20s", expect=None)
        took = time.monotonic() - began
        assert took <= 10, f"INTERRUPTED took {took:.1f} s after the reconnect"
        figures["interrupted_s"] = round(max(figures["interrupted_s"], took), 2)
        rows = lab.stack.holdfast("job", mark.job).json()["deliveries"]
        wrong = [r for r in rows if r["outcome"] != "INTERRUPTED"]
        assert not wrong, f"not INTERRUPTED: {wrong}"
        finish(lab, 60, figures)
        done += len(lab.agents)
    return figures
