"""A command that kills whoever of the backend reads it."""
import os
import pathlib
import re
import time

from lab.lab import POISON
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import poison
from rows_redis import finish

QUESTIONS = 60    # before, and as many from the poison on: their p99 is the slowest
DEATHS = 3        # backend/core/death_tally.h


def sockets_of(process):
    """Inodes of a process's sockets."""
    found = set()
    for link in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            found |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(link)))
        except FileNotFoundError:
            pass
    return found


def gateway_of(lab):
    """{agent's name: pid of the gateway that has its link}"""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    peer = {row[9]: row[2] for row in rows}   # inode: far address
    mine = {row[9]: row[1] for row in rows}   # inode: near address
    owner = {}
    for gateway in lab.stack.processes("gateway"):
        owner.update({peer[i]: gateway.pid for i in sockets_of(gateway) if i in peer})
    return {agent.name: owner[mine[i]] for agent in lab.agents for link in agent.children("link")
            for i in sockets_of(link) if i in mine and mine[i] in owner}


def ask(lab, agent):
    """A question to one agent; its seconds."""
    began = time.monotonic()
    answer = lab.stack.holdfast("query", agent.id, "SELECT 1 AS one", "--wait", "60s", expect=None)
    assert answer.json()[0]["outcome"] == "DONE", answer
    return time.monotonic() - began


def poison_and_ask(lab, victim, others):
    """Sends the poison and asks the others meanwhile: ({agent's name: [seconds]}, seconds until the victim is back)."""
    began = time.monotonic()
    job = lab.stack.holdfast("exec", victim.id, "--wait", "0", "--", "true", POISON,
                             expect=None).json()[0]["job"]
    took, back = {agent.name: [] for agent in others}, None
    while back is None or sum(map(len, took.values())) < QUESTIONS:
        agent = others[sum(map(len, took.values())) % len(others)]
        took[agent.name].append(ask(lab, agent))
        assert time.monotonic() - began < bound(lab, 120), f"not set aside: {lab.stack.holdfast('job', job)}"
        (row,) = lab.stack.holdfast("job", job).json()["deliveries"]
        if back is None and row["outcome"]:
            assert (row["outcome"], row["failure"]) == ("FAILED", "POISON"), row
            ask(lab, victim)
            back = time.monotonic() - began
    return took, back


@register(id="A9", fault="a command that crashes every gateway that reads it",
          spec=Spec(gateways=3, agents=6, prepare="poison"),
          figure="POISON after 3; agent back <= 60 s; p99 at gateways that lived < 2x",
          n={"commit": 1, "nightly": 10, "release": 40}, must_bite=("gateways died", "a gateway lived"))
def poisoned(lab, n):
    figures = {"back_s": 0.0, "p99_s": 0.0, "usual_p99_s": 0.0, "p99_all_s": 0.0}
    for _ in range(n):
        for agent in lab.agents:  # those that were cut in the last turn would wait longer each time
            agent.stop()
            agent.start()
        lab.stack.wait_online(*lab.agents)
        victim, *others = lab.rng.sample(lab.agents, len(lab.agents))
        lab.client.submit(*lab.marks.exec(lab.agents, 200, 1))
        usual = max(ask(lab, others[turn % len(others)]) for turn in range(QUESTIONS))
        at = gateway_of(lab)
        logged = len(lab.stack.log.read_text())
        took, back = poison_and_ask(lab, victim, others)
        died = poison.deaths(lab.stack.log.read_text()[logged:], "gateway")
        assert died == DEATHS, f"{died} gateways died"
        lab.bites.hit("gateways died", died)
        living = {p.pid for p in lab.stack.processes("gateway")}
        spared = [s for name, each in took.items() if at.get(name) in living for s in each]
        lab.bites.hit("a gateway lived", bool(spared))
        for name, value in (("back_s", back), ("p99_s", max(spared, default=0)), ("usual_p99_s", usual),
                            ("p99_all_s", max(s for each in took.values() for s in each))):
            figures[name] = round(max(figures[name], value), 2)
        finish(lab, 60, figures)
    assert figures["back_s"] <= bound(lab, 60), figures
    assert figures["p99_s"] < 2 * figures["usual_p99_s"], figures
    return figures
