"""Power cuts: agents' and backend's state on an ext4 that loses whatever was not synced."""
import re
import signal
import time

from lab import faults
from lab.campaign import Load
from lab.disk import LoopDisk
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import procs, wait_for

JOURNAL_LOST = 64  # proto/holdfast/command/v1/failure.proto
CUT = Spec(gateways=2, agents=6, disks=(("agent", "loop", 96), ("backend", "loop", 96)))


def work_a_while(lab, load, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        load.pump(time.monotonic())
        time.sleep(0.01)


def end_agents(lab):
    """kill -9 of whole agents: nothing of a machine without power goes on."""
    everyone = procs.all_processes()
    for agent in lab.agents:
        if agent.process is None:
            continue
        below = procs.descendants(agent.process.pid, everyone)
        for process in [*below, procs.Process(agent.process.pid)]:
            process.kill()
        agent.stop()


def end_backend(lab):
    lab.stack.kill_backend()


def everyone_of(lab):
    roots = [agent.process.pid for agent in lab.agents if agent.process is not None]
    roots += [lab.stack.backend.pid] if lab.stack.backend is not None else []
    known = procs.all_processes()
    return [p for root in roots for p in [procs.Process(root), *procs.descendants(root, known)]]


def hold(processes):
    """Stopped, none of them inside a system call.

    ext4 lets an fsync that is under way when EXT4_IOC_SHUTDOWN comes report success though its
    transaction is aborted (measured: 2 of 200 writers in 25 cuts; 0 of 800 in 100 cuts when all were stopped before).
    After a real power cut nobody would be there to believe it.
    """
    for process in processes:
        process.kill(signal.SIGSTOP)
    wait_for(lambda: all(not p.alive() or p.state() == "T" for p in processes), 15,
             "a process does not stop", every=0.001)


def cut(lab, disks, ends):
    """Power off: sometimes the processes die first, sometimes they still see a dead disk."""
    if lab.rng.random() < 0.5:
        for mark in lab.marks.made.values():
            mark.may.add("REFUSED")  # NO_JOURNAL: an agent whose disk is dead runs nothing
        held = everyone_of(lab)
        hold(held)
        for disk in disks:
            disk.cut()
        for process in held:
            process.kill(signal.SIGCONT)
        time.sleep(lab.rng.uniform(0, 0.1))
        for end in ends:
            end(lab)
    else:
        for end in ends:
            end(lab)
        for disk in disks:
            disk.cut()
    for disk in disks:
        lab.bites.hit("unsynced bytes lost", disk.power_on())


def journals_kept(lab, verdict):
    """What an agent has said is on its disk: a journal that is behind is begun anew, which keeps the promise, but
    costs what waited in it."""
    lost = [f"{row['mark']} at {row['agent'].name}" for row in verdict.ledger.deliveries
            if row["mark"] in lab.marks.made and row["failure"] == JOURNAL_LOST]
    assert not lost, f"the power cut took {len(lost)} commands out of journals: {lost[:5]}"


def cuts(lab, n, disks, ends):
    figures = {"cuts": 0, "lost": 0, "doubled": 0, "deliveries": 0, "slowest_rest_s": 0.0}
    load = Load(lab, 6.0, sleep_ms=600)
    lab.may_linger = True
    for turn in range(n):
        # One that is open when the power goes, whatever the load's have come to by then.
        lab.client.submit(*lab.marks.exec(lab.agents, 3500, 1))
        lab.client.drain()
        work_a_while(lab, load, lab.rng.uniform(0.8, 2.5))
        lab.kills.append(faults.Kill("power", None, faults.now_ms()))
        cut(lab, disks, ends)
        if lab.stack.backend is None:
            lab.stack.start()
        for agent in lab.agents:
            if not agent.running():
                agent.stop()
                agent.start()
        took = lab.quiesce(bound(lab, 60))
        verdict = lab.judge()
        figures["cuts"] += 1
        figures["deliveries"] += verdict.counts["accepted"]
        figures["lost"] += verdict.lost
        figures["doubled"] += verdict.doubled
        figures["slowest_rest_s"] = round(max(figures["slowest_rest_s"], took), 1)
        verdict.require_clean()
        journals_kept(lab, verdict)
        if turn % 10 == 9:
            lab.say(f"  {turn + 1} of {n} cuts, {figures['deliveries']} deliveries")
    return figures


BIT = ("unsynced bytes lost", "power killed with work open")


@register(id="A8", fault="all processes of backend and agents killed, then the power cut for both",
          figure="100: I1-I5", spec=CUT, n={"commit": 1, "nightly": 100, "release": 100},
          must_bite=BIT)
def everything(lab, n):
    return cuts(lab, n, [lab.agent_disk, lab.backend_disk], [end_agents, end_backend])


@register(id="A8-agents", fault="power cut of the endpoints alone", figure="100: I1-I5", spec=CUT,
          n={"nightly": 50, "release": 100}, must_bite=(*BIT, "ended interrupted"))
def agents(lab, n):
    return cuts(lab, n, [lab.agent_disk], [end_agents])


@register(id="B2", fault="power cut of the backend alone", figure="100: 0 lost", spec=CUT,
          n={"commit": 1, "nightly": 50, "release": 100}, must_bite=BIT)
def backend(lab, n):
    return cuts(lab, n, [lab.backend_disk], [end_backend])


RECONNECTS = 100
RESET = Spec(gateways=2, agents=4, proxy=True, disks=CUT.disks)


def epochs(agent):
    return [int(n) for n in re.findall(r"event=link_open epoch=(\d+)", agent.log.read_text(errors="replace"))]


@register(id="B9", fault=f"{RECONNECTS} reconnects, then the power cut for backend and agents, n times",
          figure="no epoch is used twice: I6", spec=RESET, n={"nightly": 3, "release": 20},
          must_bite=("reconnects", *BIT))
def reconnects_then_cut(lab, n):
    figures = {"reconnects": 0}
    links = lambda: lab.stack.metrics().get("holdfast_links", 0) == len(lab.agents)
    for _ in range(n):
        for _ in range(RECONNECTS // len(lab.agents)):
            # With work open a cut link is dialled again within a second.
            lab.client.submit(*lab.marks.exec(lab.agents, 2000, 1))
            figures["reconnects"] += lab.proxy.reset_all()
            wait_for(lambda: lab.client.pump() or links(), bound(lab, 60), "agents do not come back")
        more = cuts(lab, 1, [lab.agent_disk, lab.backend_disk], [end_agents, end_backend])
        for name, value in more.items():
            figures[name] = figures.get(name, 0) + value
        for agent in lab.agents:
            used = epochs(agent)
            assert len(used) > RECONNECTS // len(lab.agents) / 2, f"{agent.name}: only {len(used)} links"
            assert used == sorted(set(used)), f"{agent.name} used an epoch twice: {used}"
    lab.bites.hit("reconnects", figures["reconnects"])
    return figures
