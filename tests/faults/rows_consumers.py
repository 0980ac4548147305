"""Consumers that stand still while bytes wait for them: nobody's memory grows for them, and nobody else waits."""
import subprocess
import time

from lab import faults
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import BIN, procs, wait_for
from rows_link import round_trip
from rows_redis import finish

GUESTS = 2  # agents that stay awake, and whose answers are measured
FROZEN = Spec(gateways=1, agents=20 + GUESTS)
FILE_BYTES = 8 << 20
PUT_BYTES, BEGUN_BYTES = 64 << 20, 512 << 10
WATCH_SECONDS = 12.0
MOST_BYTES_EACH = 1 << 20


def own_memory(process):
    return process.memory("Private_Dirty") + process.memory("Private_Clean")


def watched(lab):
    return {role: lab.stack.processes(role)[0] for role in ("gateway", "control")}


def watch(lab, sizes, figures):
    """The most that gateway and control hold meanwhile, and how long the others wait for an answer."""
    waits, end = [], time.monotonic() + WATCH_SECONDS
    while time.monotonic() < end:
        for role, process in watched(lab).items():
            sizes[role] = max(sizes.get(role, 0), own_memory(process))
        waits.append(round_trip(lab, lab.agents[:GUESTS], 30))
    waits.sort()
    figures["others_p99_s"] = max(figures.get("others_p99_s", 0), round(waits[-1 - len(waits) // 100], 2))


def cost(before, most, count, kind, figures):
    for role in before:
        each = (most[role] - before[role]) / count
        figures[f"{kind}_{role}_kib_each"] = round(each / 1024)
        assert each <= MOST_BYTES_EACH, f"{kind}: each costs the {role} {each / 1024:.0f} KiB"


@register(id="C8", fault="n agents, then n analysts' programs, stand still with 8 MiB each on their way",
          figure="gateway and control: <= 1 MiB each, others answer", spec=FROZEN,
          n={"nightly": 20, "release": 20}, must_bite=("frozen agents with bytes waiting",
                                                       "frozen programs with bytes waiting"))
def frozen(lab, n):
    figures = {}
    quiet = max(round_trip(lab, lab.agents[:GUESTS], 30) for _ in range(5))
    agents = lab.agents[GUESTS:GUESTS + n]
    freeze_agents(lab, agents, figures)
    # Thawed, they all fetch and sync the rest of their files at once: not what the programs below are about.
    lab.quiesce(bound(lab, 90))
    freeze_programs(lab, n, figures)
    figures["others_quiet_s"] = round(quiet, 2)
    assert figures["others_p99_s"] <= bound(lab, 1.0 + 2 * quiet), figures
    finish(lab, bound(lab, 90), figures)
    return figures


def size_of(folder):
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            pass
    return total


def freeze_agents(lab, agents, figures):
    """Each in the middle of fetching a file that `put` gives it; its socket is not read any more."""
    source = lab.stack.dir / "put.bin"
    source.write_bytes(bytes(range(256)) * (PUT_BYTES // 256))
    before = {role: own_memory(p) for role, p in watched(lab).items()}
    stopped = []
    try:
        for agent in agents:
            empty = size_of(agent.state)
            lab.stack.holdfast("put", agent.id, source, lab.stack.dir / f"put-{agent.name}",
                               "--wait", "0")
            wait_for(lambda: size_of(agent.state) > empty + BEGUN_BYTES, bound(lab, 20),
                     f"{agent.name} fetches nothing", every=0.002)
            for process in agent.children("link"):
                faults.freeze(process)
                stopped.append(process)
        waiting = lab.stack.holdfast("jobs", "--open").json()
        lab.bites.hit("frozen agents with bytes waiting", len(waiting))
        figures["agents_frozen"] = len(waiting)
        most = {}
        watch(lab, most, figures)
        cost(before, most, max(1, len(waiting)), "agent", figures)
    finally:
        for process in stopped:
            faults.thaw(process)


def freeze_programs(lab, n, figures):
    """They have asked for the output of a command, and nobody reads their pipes."""
    mark, argv = lab.marks.get(lab.agents[:1], FILE_BYTES)
    lab.client.submit(mark, argv)
    lab.client.drain()
    lab.stack.holdfast("results", mark.job, "--wait", "60s", "-d", lab.stack.dir / "warm", expect=None)
    before = {role: own_memory(p) for role, p in watched(lab).items()}
    programs = []
    try:
        for i in range(n):
            programs.append(subprocess.Popen(
                [BIN / "holdfast", "--dir", lab.stack.fleet, "results", mark.job, "-d",
                 lab.stack.dir / f"frozen-{i}"], env=lab.stack.env(), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=procs.end_with_parent))
        stopped = 0
        running = list(programs)
        while running:  # each as soon as its first bytes are there
            for program in list(running):
                folder = lab.stack.dir / f"frozen-{programs.index(program)}"
                if program.poll() is not None:
                    running.remove(program)
                elif folder.exists() and any(p.is_file() for p in folder.rglob("*")):
                    faults.freeze(procs.Process(program.pid))
                    stopped += 1
                    running.remove(program)
        lab.bites.hit("frozen programs with bytes waiting", stopped)
        most = {}
        watch(lab, most, figures)
        cost(before, most, max(1, stopped), "program", figures)
        figures["programs_frozen"] = stopped
    finally:
        for program in programs:
            program.kill()
            program.wait()
