"""Wall clocks that jump, machines that sleep."""
import struct
import time

from lab import faults, kernel, shim
from lab.marks import read_effects
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import BIN, procs, wait_for
from rows_full import served_again
from rows_link import is_over
from rows_redis import finish, question_answered

CLOCKS = Spec(gateways=1, agents=4, program=shim.DYNAMIC_AGENT.name)
SLEEPERS = Spec(gateways=2, agents=4)
DREAMERS = Spec(gateways=2, agents=4, program=shim.DYNAMIC_AGENT.name, proxy=True)
SLEEP_MS, MAX_TIME = 600_000, "60s"
BEFORE_A_BEAT_SECONDS = 20  # a beat wakes them within 25 s, whatever they do by themselves
SETTLED_SECONDS = 15  # after a start warden has small things to do; then nothing wakes it but what it waits for
HOUR_MS = 3_600_000
JUMPS = {"an hour ahead": HOUR_MS, "an hour behind": -HOUR_MS, "1970": None, "2038": None,
         "ten years ahead": 10 * 365 * 24 * HOUR_MS}


class Clock:
    """The clocks of all agents: offsets in a file that their shim reads."""

    def __init__(self, lab):
        self.path = lab.stack.dir / "clock"
        self.path.write_bytes(bytes(16))
        for agent in lab.agents:
            agent.stop()
            agent.more_env = {"LD_PRELOAD": str(BIN / "libclock_shim.so"),
                              "HF_CLOCK_FILE": str(self.path)}
            agent.start()
        lab.stack.wait_online(*lab.agents)

    def set(self, offset_ms):
        self._write(0, offset_ms)

    def sleep(self, offset_ms):
        """So long the machine has slept in all, as CLOCK_BOOTTIME has it and CLOCK_MONOTONIC has not. Real
        time goes with both, so the wall clock is where it should be when so much has really passed."""
        self._write(8, offset_ms)

    def _write(self, at, offset_ms):
        with open(self.path, "r+b") as file:
            file.seek(at)
            file.write(struct.pack("q", offset_ms))

    @staticmethod
    def offset(name):
        now = int(time.time() * 1000)
        return {"1970": -now + 1000, "2038": (2**31 + 5) * 1000 - now}.get(name, JUMPS[name])


def cpu_seconds(processes):
    total = 0
    for process in processes:
        fields = procs._stat(process.pid)
        total += int(fields[11]) + int(fields[12])
    return total / 100  # USER_HZ


@register(id="D5", fault="the agents' wall clock jumps: an hour either way, 1970, 2038, ten years; n jumps",
          figure="0 expired runs, no timer storm, live sessions work", spec=CLOCKS,
          n={"nightly": 100, "release": 1000},
          must_bite=tuple(f"clock at {name}" for name in JUMPS))
def jumps(lab, n):
    clock = Clock(lab)
    figures = {"refused": 0, "ran": 0, "cpu_percent": 0.0}
    names = list(JUMPS)
    try:
        for turn in range(n):
            name = names[turn % len(names)]
            opened = lab.stack.metrics()["holdfast_links_opened_total"]
            clock.set(Clock.offset(name))
            lab.bites.hit(f"clock at {name}")
            watched = [p for a in lab.agents for p in (a.warden(), *a.children("link"))]
            before = cpu_seconds(watched)
            time.sleep(1.5)
            storm = 100 * (cpu_seconds(watched) - before) / 1.5 / len(lab.agents)
            figures["cpu_percent"] = round(max(figures["cpu_percent"], storm), 1)
            assert storm < 20, f"clock at {name}: {storm:.0f} % of a CPU for each agent"
            mark, argv = lab.marks.exec(lab.agents, 0, 1)
            mark.may |= {"REFUSED", "EXPIRED"}
            lab.client.submit(mark, argv)
            lab.client.drain()
            faults.wait_for(lambda: is_over(lab, mark), bound(lab, 20),
                            f"clock at {name}: no answer", every=0.1)
            rows = lab.stack.holdfast("job", mark.job).json()["deliveries"]
            ran = sum(r["outcome"] == "DONE" for r in rows)
            figures["ran"] += ran
            figures["refused"] += len(rows) - ran
            anew = lab.stack.metrics()["holdfast_links_opened_total"] - opened
            assert anew == 0, f"clock at {name}: {anew} links were opened anew"
            clock.set(0)
            served_again(lab, 10.0, f"after the clock was at {name}")
            finish(lab, 60, figures)
    finally:
        clock.set(0)
    return figures


def agents_processes(lab):
    return [p for a in lab.agents for p in (a.warden(), *procs.descendants(a.process.pid))]


@register(id="D6", fault="agents suspended (SIGSTOP of all their processes) for n s",
          figure="answers <= 10 s after they resume", spec=SLEEPERS,
          n={"nightly": 600, "release": 600}, must_bite=("suspended with work open",))
def suspend(lab, n):
    lab.client.submit(*lab.marks.exec(lab.agents, 1500, 1))
    lab.client.drain()
    processes = agents_processes(lab)
    for process in processes:
        faults.freeze(process)
    lab.bites.hit("suspended with work open")
    try:
        lab.client.submit(*lab.marks.exec(lab.agents, 0, 1))
        lab.client.drain()
        time.sleep(n)
    finally:
        for process in processes:
            faults.thaw(process)
    figures = {"seconds": n, "answers_after_s": round(
        question_answered(lab, bound(lab, 10.0), "after the suspension"), 1)}
    finish(lab, 60, figures)
    return figures


@register(id="D6-clock", fault="agents that slept for 10 min by CLOCK_BOOTTIME, and not by CLOCK_MONOTONIC; the server has given"
          " up their links, or not; n times", spec=DREAMERS,
          figure="answers <= 10 s after waking; a time limit that passed asleep has ended its command",
          n={"nightly": 8, "release": 24}, must_bite=("links gone", "links kept", "limits passed asleep"))
def asleep(lab, n):
    """Nothing is frozen: what SIGSTOP does to children, their parent would hear of, and wake."""
    clock = Clock(lab)
    figures = {"answers_s": 0.0}
    for turn in range(n):
        keeps = turn % 2 == 1
        limited, argv = lab.marks.exec(lab.agents, 120_000, 1)
        argv[2:2] = ["--max-time", MAX_TIME]
        lab.client.submit(limited, argv)
        lab.client.drain()
        started = lambda: [k for k in read_effects(lab.stack.effects) if k[0] == limited.id]
        wait_for(lambda: len(started()) == len(lab.agents), bound(lab, 20), "the commands do not start")
        if keeps:
            time.sleep(SETTLED_SECONDS)
        else:
            lab.bites.hit("links gone", lab.proxy.orphan_all("clients"))
            lab.client.submit(*lab.marks.exec(lab.agents, 0, 1))
            lab.client.drain()
        lab.bites.hit("links kept", keeps)
        clock.sleep((turn + 1) * SLEEP_MS)
        kernel.jump_clock()  # on waking the kernel announces it the same way
        began = time.monotonic()
        # Nothing is asked meanwhile: what the agent does by itself counts.
        wait_for(lambda: is_over(lab, limited), min(bound(lab, 10), BEFORE_A_BEAT_SECONDS),
                 "a limit that passed in the sleep", every=0.2)
        name = f"limit_links_{'kept' if keeps else 'gone'}_s"
        figures[name] = round(max(figures.get(name, 0), time.monotonic() - began), 1)
        rows = lab.stack.holdfast("job", limited.job).json()["deliveries"]
        lab.bites.hit("limits passed asleep", sum(r["failure"] == "WALL_LIMIT" for r in rows))
        question_answered(lab, bound(lab, 10.0), "after the sleep")
        figures["answers_s"] = round(max(figures["answers_s"], time.monotonic() - began), 1)
        assert figures["answers_s"] <= bound(lab, 10.0), figures
        lab.proxy.drop_orphans()
        finish(lab, 60, figures)
    return figures
