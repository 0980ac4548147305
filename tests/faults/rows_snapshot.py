"""Machines put back to a snapshot, while everything that was ever sent to them comes again."""
import re
import shutil
import time

from lab import faults
from lab.ledger import Ledger
from lab.marks import now_ms, read_effects
from lab.rows import register
from lab.slack import bound
from lab.stack import procs, wait_for
from rows_power import end_agents
from rows_redis import WORKERS, finish
from rows_rot import MAY, ROT, start_damaged

from harness.forge import Forger  # of tests/e2e, which lab.stack puts on the path

BEFORE_BIRTH = "failure=9 "  # command/v1/failure.proto
BATCH, PAUSE_SECONDS = 100, 0.1  # a gateway drops a link that it cannot feed


def snapshot(lab):
    """{agent: copy}, each as it was on disk at one moment."""
    copies = {}
    for agent in lab.agents:
        all_of_it = [agent.warden(), *procs.descendants(agent.process.pid)]
        for process in all_of_it:
            faults.freeze(process)
        copies[agent.name] = agent.state.with_name(f"{agent.state.name}-copy")
        shutil.copytree(agent.state, copies[agent.name])
        for process in all_of_it:
            faults.thaw(process)
        states = [line.split()[1] for line in agent.journal()[1:]]
        lab.bites.hit("snapshot with work open", "started" in states)
        lab.bites.hit("snapshot with work waiting", "received" in states)
    return copies


def put_back(lab, copies):
    end_agents(lab)
    for agent in lab.agents:
        shutil.rmtree(agent.state)
        copies[agent.name].rename(agent.state)
        agent.has_twin = True  # to the backend it may be one


class Replays:
    """An intruder on Redis who kept every envelope."""

    def __init__(self, lab):
        self.lab, self.forger = lab, Forger(lab.stack.fleet)

    def of_everything(self):
        book = Ledger(self.lab.stack)
        return [self.forger.entry(row["agent_id"], command["envelope"], command["cert_envelope"])
                for row in book.deliveries for command in [book.by_digest[row["digest"]]]
                if command["not_after_ms"] > now_ms()]

    def inject(self, entries):
        redis = self.lab.stack.redis()
        (stream,) = redis.call("KEYS", "hf:{g.*}:in")
        for at in range(0, len(entries), BATCH):
            redis.pipeline([("XADD", stream, "*", "m", entry) for entry in entries[at:at + BATCH]])
            time.sleep(PAUSE_SECONDS)
        redis.close()

    def wait_refused(self, marks):
        """What came after the snapshot comes to agents that have no memory of it, and is refused."""
        refused = lambda agent, mark: re.search(f"command_ended digest={mark.job} .*{BEFORE_BIRTH}",
                                                agent.log.read_text(errors="replace"))
        left = lambda: [(a.name, m.id) for a in self.lab.agents for m in marks if not refused(a, m)]
        wait_for(lambda: not left(), bound(self.lab, 20), lambda: f"replayed, and no word of it: {left()}")
        self.lab.bites.hit("replays refused", len(self.lab.agents) * len(marks))


def work_from_before(lab):
    """At the time of the snapshot some commands run, and others wait behind them."""
    for _ in range(WORKERS + 2):
        wait_for(lambda: lab.client.pump() or not lab.client.busy(), 60, "command lines hang")
        lab.client.submit(*lab.marks.exec(lab.agents, int(1000 * bound(lab, 2)), 1))
    lab.client.drain()
    time.sleep(0.5)


def work_since(lab):
    """Commands that have ended, and one that has taken effect and runs; control knows it all. -> all of them"""
    made = [lab.marks.exec(lab.agents, 0, 1) for _ in range(3)]
    made.append(lab.marks.get(lab.agents, 256 * 1024 + 77))
    for mark, argv in made:
        lab.client.submit(mark, argv)
    lab.client.drain()
    wait_for(lambda: not lab.stack.holdfast("jobs", "--open").json(), bound(lab, 60), "work does not end")
    running, argv = lab.marks.exec(lab.agents, 30_000, 1)
    lab.client.submit(running, argv)
    lab.client.drain()
    states = lambda: {row["state"] for row in lab.stack.holdfast("job", running.job).json()["deliveries"]}
    wait_for(lambda: states() == {"STARTED"} and len(
        [k for k in read_effects(lab.stack.effects) if k[0] == running.id]) == len(lab.agents),
        bound(lab, 20), lambda: f"does not start everywhere: {states()}")
    return [running, *(mark for mark, _ in made)]


def recheck(lab, seen):
    """All marks but those, once more: what ran late ran a second time."""
    lab.checked = seen
    lab.judge().require_clean()


@register(id="D8", fault="machines put back to a snapshot; all that was sent comes again, by control and by an intruder;"
          " n agents", figure="0 run a second time", spec=ROT,
          n={"nightly": 24, "release": 240},
          must_bite=("snapshot with work open", "snapshot with work waiting", "put back over a link",
                     "put back within a link", "replayed", "replays refused"))
def reverted(lab, n):
    figures = {}
    replays = Replays(lab)
    for turn in range(-(-n // len(lab.agents))):
        is_over_a_link = turn % 2 == 0
        finish(lab, 60, figures)
        seen = set(lab.checked)
        work_from_before(lab)
        copies = snapshot(lab)
        if is_over_a_link:
            for agent in lab.agents:
                for link in agent.children("link"):
                    faults.kill_one(link)
            lab.stack.wait_online(*lab.agents)
        since = work_since(lab)
        put_back(lab, copies)
        for mark in lab.marks.made.values():
            mark.may |= MAY
            mark.may_answer_late = is_over_a_link  # an intruder's copy is refused under the agent's signature
        lab.bites.hit(f"put back {'over' if is_over_a_link else 'within'} a link", len(lab.agents))
        if is_over_a_link:
            entries = replays.of_everything()
            start_damaged(lab, figures, lab.agents, lambda: replays.inject(entries))
            lab.bites.hit("replayed", len(entries))
            replays.wait_refused(since)
            recheck(lab, seen)
        else:  # whoever can replay could do harm here (docs/delivery.md, What is not promised)
            start_damaged(lab, figures, lab.agents)
    return figures
