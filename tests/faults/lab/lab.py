"""Lab: one stack with agents, the load on it and what broke it: what a row is given.

    Lab(gateways, agents) .start() -> row(lab, n) -> heal() -> quiesce() -> judge() ... -> stop()
"""
import random
import time

from . import checker, faults
from .bites import Bites
from .client import Client
from .marks import Marks, now_ms
from .stack import LabStack, procs, wait_for

QUIESCE_SECONDS = 60


class Lab:
    def __init__(self, seed, gateways=2, agents=4, keys=(), folder=None):
        self.seed = seed
        self.rng = random.Random(seed)
        self.stack = LabStack(gateways, keys, folder)
        self.agent_count = agents
        self.agents = []
        self.bites = Bites()
        self.kills = []
        self.due = []       # (when, LabAgent): to be started again, as a service manager would
        self.backend_due = None
        self.client = self.marks = None
        self.checked = set()

    def start(self):
        self.stack.init().start()
        self.agents = self.stack.make_agents(self.agent_count)
        self.client = Client(self.stack)
        self.new_series("s")
        return self

    def new_series(self, name):
        """The marks of one row: mk-NAME-1, ..."""
        self.marks = Marks(self.stack, name)
        self.bites = Bites()
        self.kills = []
        self.checked = set()

    # --- faults ----------------------------------------------------------------------------------
    def kill(self, role, everyone=None):
        """kill -9 of one process of that role, chosen by the seed; False if there is none."""
        found = faults.victims(self, role, everyone or procs.all_processes())
        if not found:
            return False
        process, agent = found[self.rng.randrange(len(found))]
        at_ms = now_ms()
        if role == "supervisor":
            self.stack.kill_backend()
            self.backend_due = time.monotonic()
        else:
            if agent is not None:
                self.stack.remember([process])
            if not faults.kill_one(process):
                return False
            if role == "warden":
                agent.stop()  # reaps it
                self.due.append((time.monotonic() + self.rng.uniform(0, 0.3), agent))
        self.kills.append(faults.Kill(role, agent, at_ms))
        self.bites.hit(f"{role} killed")
        return True

    def revive(self, all_of_it=False):
        """Starts what is due; `all_of_it`: and waits for the backend to be ready."""
        if self.backend_due is not None:
            self.backend_due = None
            self.stack.start()
        later = []
        for when, agent in self.due:
            if all_of_it or time.monotonic() >= when:
                if not agent.running():
                    agent.start()
            else:
                later.append((when, agent))
        self.due = later
        for agent in self.agents:
            if agent.process is not None and agent.process.poll() is not None:
                status = agent.stop()
                self.bites.hit(f"agent ended with {status}")
                agent.start()
        if all_of_it:
            self.stack.wait_ready()

    # --- rest ------------------------------------------------------------------------------------
    def quiesce(self, seconds=QUIESCE_SECONDS):
        """Faults are over: everything ends, agents are online, within the bound; how long it took."""
        began = time.monotonic()
        self.revive(all_of_it=True)
        self.client.settle()
        left = lambda: max(1.0, seconds - (time.monotonic() - began))
        self.stack.wait_online(*self.agents, seconds=left())
        open_jobs = lambda: self.stack.holdfast("jobs", "--open", "--limit", "10000").json()
        wait_for(lambda: not open_jobs(), left(), lambda: self.describe_open(open_jobs()), every=0.3)
        took = time.monotonic() - began
        self.probe()
        wait_for(lambda: not any(agent.journal()[1:] for agent in self.agents), 15,
                 lambda: f"journals keep {[a.journal()[1:] for a in self.agents if a.journal()[1:]]}",
                 every=0.3)
        return took

    def describe_open(self, jobs):
        shown = [self.stack.holdfast("job", row["job"]).json() for row in jobs[:3]]
        open_ones = [{k: d[k] for k in ("hostname", "agent_id", "state", "sends", "sent", "received")}
                     for job in shown for d in job["deliveries"] if d["state"] != "ENDED"]
        return (f"{len(jobs)} jobs still open, of which {[row['detail'][-40:] for row in jobs[:3]]}:"
                f" {open_ones[:6]}")

    def probe(self):
        """I7: full service: every agent answers a question."""
        answers = self.stack.holdfast("query", ",".join(a.id for a in self.agents), "SELECT 1 AS one",
                                      "--wait", "20s", expect=None).json()
        bad = [a for a in answers if a["outcome"] != "DONE"]
        assert len(answers) == len(self.agents) and not bad, f"I7: no full service: {bad}"

    def judge(self):
        """Checks the marks made since the last time."""
        fresh = set(self.marks.made) - self.checked
        verdict = checker.check(self.stack, self.marks, fresh)
        self.checked |= fresh
        self.count_bites(verdict)
        return verdict

    def count_bites(self, verdict):
        """Which kills came while a command was open where it hurts."""
        spans = [(r["accepted_ms"], r["ended_ms"] or 1 << 62, r["agent"])
                 for r in verdict.ledger.deliveries if r["mark"] in self.marks.made]
        for kill in self.kills:
            bit = any(a <= kill.at_ms <= e and (kill.agent is None or agent is kill.agent)
                      for a, e, agent in spans)
            self.bites.hit(f"{kill.role} killed with work open", bit)
        self.kills = []
        self.bites.hit("delivered again", verdict.counts["sent again"])
        self.bites.hit("ended interrupted", verdict.outcomes["INTERRUPTED"])

    def stop(self, keep=False):
        if self.client:
            self.client.stop()
        self.stack.stop(keep=keep)
