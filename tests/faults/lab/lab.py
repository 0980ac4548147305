"""Lab: one stack with agents, the load on it and what broke it: what a row is given.

    Lab(seed, spec).start() -> row(lab, n) -> heal() -> quiesce() -> judge() ... -> stop()
"""
import random
import shutil
import time

from proxy.redis_front import RedisFront
from proxy.tcp_proxy import TcpProxy

from . import checker, disk, faults, names, shim, wire
from .bites import Bites
from .client import Client
from .marks import Marks, now_ms
from .slack import bound
from .stack import BIN, LabStack, free_ports, poison, procs, wait_for

QUIESCE_SECONDS = 60
LONGEST_DIAL_WAIT_S = 60
POISON = "poison-for-gateways"


class Lab:
    def __init__(self, seed, spec, folder=None):
        self.seed, self.spec = seed, spec
        self.rng = random.Random(seed)
        keys, behind = list(spec.keys), None
        if spec.proxy:
            (behind,) = free_ports(1)
            keys.append(("agents", "listen", f"127.0.0.1:{behind}"))
        self.stack = LabStack(spec.gateways, keys, folder)
        self.proxy = TcpProxy(behind, self.stack.agent_port, seed) if spec.proxy else None
        self.agents = []
        self.disks = []
        self.wire = self.names = self.front = None
        self.bites = Bites()
        self.kills = []
        self.due = []       # (when, LabAgent): to be started again, as a service manager would
        self.backend_due = None
        self.client = self.marks = None
        self.checked = set()

    def start(self):
        if self.proxy:
            self.proxy.start()
        if self.spec.prepare == "net":
            self.wire = wire.Wire()
            self.stack.server_host, self.stack.prefix = wire.HOST, self.wire.enter
        if self.spec.prepare == "names":
            self.names = names.Names(self.stack.dir)
            self.stack.server_host, self.stack.prefix = names.NAME, self.names.enter
        if self.spec.redis:
            self.stack.keys = [*self.stack.keys, shim.slow_redis(self.stack, *self.spec.redis.split())]
        if self.spec.prepare == "front":
            self.front = RedisFront(self.stack.fleet / "server/state/run/redis.sock", self.seed).start()
            self.stack.keys = [*self.stack.keys, self.front.program(self.stack.dir)]
        self.stack.init()
        self.make_disks()
        if self.spec.prepare == "plan":
            self.plan = shim.Plan(self.stack)
        if self.spec.prepare == "poison":
            self.stack.backend_env = poison.environment(("gateway", poison.FRAME, POISON))
        self.stack.start()
        self.agents = self.stack.make_agents(self.spec.agents, program=BIN / self.spec.program)
        self.client = Client(self.stack)
        self.new_series("s")
        return self

    def make_disks(self):
        """Under the agents' states, the backend's and that of its Redis; lab.agent_disk, lab.backend_disk, lab.redis_disk."""
        places = {"agent": self.stack.states, "backend": self.stack.fleet / "server/state",
                  "redis": self.stack.fleet / "server/state/redis"}
        for part, kind, megabytes in self.spec.disks:
            if kind == "loop":
                made = disk.LoopDisk(places[part], self.stack.dir / f"{part}.ext4", megabytes)
            else:
                made = disk.SmallDisk(places[part], megabytes)
            self.disks.append(made)
            setattr(self, f"{part}_disk", made)

    def new_series(self, name):
        """The marks of one row: mk-NAME-1, ..."""
        self.marks = Marks(self.stack, name, self.marks.ever if self.marks else None)
        self.bites = Bites()
        self.kills = []
        self.checked = set()
        self.stretched = 1.0
        self.may_linger = False  # set by rows whose fault keeps an agent from writing

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
        self.journals_forget()
        return took

    def journals_forget(self):
        """Nothing but tombstones is left. One that could not be written while the disk failed is
        made up for at the next start (agent/core/warden.cc): where that may be, it must suffice."""
        keep = lambda: [a for a in self.agents if a.journal()[1:]]
        if self.may_linger and keep():
            for agent in keep():
                agent.stop()
                agent.start()
                self.bites.hit("forgotten at the next start")
            self.stack.wait_online(*self.agents)
        wait_for(lambda: not keep(), bound(self, 15),
                 lambda: f"journals keep {[a.journal()[1:] for a in keep()]}", every=0.3)

    def describe_open(self, jobs):
        shown = [self.stack.holdfast("job", row["job"]).json() for row in jobs[:3]]
        open_ones = [{k: d[k] for k in ("hostname", "agent_id", "state", "sends", "sent", "received")}
                     for job in shown for d in job["deliveries"] if d["state"] != "ENDED"]
        return (f"{len(jobs)} jobs still open, of which {[row['detail'][-40:] for row in jobs[:3]]}:"
                f" {open_ones[:6]}")

    def forget_failed_dials(self):
        """Between turns that are each about one fault: links that break again and again are dialled at longer and
        longer intervals (common/link/backoff.h); an agent that was started anew begins with the shortest."""
        for agent in self.agents:
            agent.stop()
            agent.start()
        wait_for(lambda: all(row["online"] for row in self.stack.agent_rows().values()), bound(self, 30),
                 "an agent that was started anew is not online")

    def probe(self):
        """I7: full service: every agent answers a question.

        Rows hold their own fault to their own bound. Here an agent may still be in the longest wait between two dials
        (common/link/backoff.h), which a row that breaks links again and again brings about.
        """
        if not self.agents:
            return
        answers = self.stack.holdfast("query", ",".join(a.id for a in self.agents), "SELECT 1 AS one",
                                      "--wait", f"{int(bound(self, LONGEST_DIAL_WAIT_S + 5))}s", expect=None,
                                      timeout=600).json()
        bad = [a for a in answers if a["outcome"] != "DONE"]
        assert len(answers) == len(self.agents) and not bad, f"I7: no full service: {bad}"

    def judge(self):
        """Checks the marks made since the last time."""
        fresh = set(self.marks.made) - self.checked
        verdict = checker.check(self.stack, self.marks, fresh)
        self.checked |= fresh
        self.count_bites(verdict)
        self.last_verdict = verdict
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
        try:
            self.stack.stop(keep=keep or bool(self.disks))
        finally:
            if self.proxy:
                self.proxy.stop()
            for around in (self.wire, self.names):
                if around:
                    around.end()
            if self.front:
                self.front.stop()
            for mounted in self.disks:
                mounted.unmount()
            if not keep:
                shutil.rmtree(self.stack.dir, ignore_errors=True)
