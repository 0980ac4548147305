#!/usr/bin/env python3
"""An update is cut off at every write, sync and rename of its record, and anywhere else: an agent that works is left each time.

Warden is killed by a shim (tests/faults/shim) before and after each of these calls, in the old program and in the new one, and started
again as a service manager would. Each agent ends up with the new program, the command ends DONE, and it answers.
"""
import random
import signal
import time

from harness.case import StackTest, main
from harness.procs import wait_for
from harness.releases import KeptAgent, Shop, version_of
from harness.stack import BIN

DYNAMIC = BIN / "holdfast-agent-dyn"   # what ships is static and takes no LD_PRELOAD
SHIM = BIN / "libfault_shim.so"
QUICK = ("--hold", "3s", "--link-within", "20s", "--silent-after", "60s", "--yes")
AGENTS = 6


class ShimmedAgent(KeptAgent):
    """Its first start has the shim's environment; those after a death have not."""
    more_env = {}

    def begin(self):
        env, self.more_env = self.more_env, {}
        before, self.stack.env = self.stack.env, lambda **more: {**type(self.stack).env(self.stack, **more), **env}
        try:
            super().begin()
        finally:
            self.stack.env = before


class UpdateInterruptedTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        # The dynamic agent takes the place of the one that the harness starts.
        import harness.releases as releases
        import harness.stack as stack
        stack.NAMED_AGENT = str(DYNAMIC)
        cls.releases = releases
        cls.shop = Shop(cls.stack)
        cls.agents = []
        for n in range(AGENTS):
            agent = cls.stack.agents[f"s{n}"] = ShimmedAgent(cls.stack, f"s{n}")
            agent.enrol(cls.stack.bundle())
            cls.agents.append(agent)
        cls.round = 1

    def update_all(self, points, name, late=False):
        """Each agent to the next version, with its point (kind, when) to die at; those that died there. `late`: in the new program."""
        type(self).round += 1
        version = f"0.{self.round}.0"
        release = self.shop.good(version)
        for agent, point in zip(self.agents, points):
            log = self.stack.dir / f"shim-{agent.name}.log"
            log.unlink(missing_ok=True)
            kind, do = point or ("write", "")
            armed = agent.state / "armed"
            armed.unlink(missing_ok=True)
            # Each program counts for itself, and writes the record once (the first one twice: it sees a new root).
            agent.more_env = {"LD_PRELOAD": str(SHIM), "HF_SHIM_PREFIX": str(agent.state / "update"), "HF_SHIM_LOG": str(log),
                              "HF_SHIM_AT": "1" if point else "0", "HF_SHIM_DO": do, "HF_SHIM_CALLS": kind,
                              "HF_SHIM_WHILE": str(armed) if late else ""}
            if agent.running():
                agent.process.send_signal(signal.SIGTERM)
                agent.process.wait(15)
                wait_for(agent.running, 10, "not started again")
            else:
                agent.start()
        self.stack.wait_online(*self.agents)
        for agent in self.agents:
            self.stack.holdfast("update", "start", release, agent.id, *QUICK, output=None)
        self.after_start(name)
        for agent in self.agents if late else ():
            wait_for(lambda: f"trial {version}" in (agent.state / "update").read_text() and
                     "starts 1" in (agent.state / "update").read_text(), 30, f"no trial of {agent.name}", 0.02)
            (agent.state / "armed").touch()
        wait_for(lambda: all(version_of(self.stack, a) == version for a in self.agents), 90,
                 lambda: f"{name}: {[(a.name, version_of(self.stack, a)) for a in self.agents]}\n{self.stack.logs()}", 0.4)
        wait_for(lambda: not self.stack.holdfast("jobs", "--open").json(), 60, self.stack.logs, 0.4)
        jobs = [j for j in self.stack.holdfast("jobs").json() if j["verb"] == "update"][:len(self.agents)]
        self.assertTrue(all(j["succeeded"] == 1 for j in jobs), f"{name}: {jobs}")
        self.stack.holdfast("query", "all", "SELECT 1 AS one")
        return [a for a in self.agents if "! " in self.shim_log(a)]

    def after_start(self, name):
        """What else is done to the agents while they are at it."""

    def shim_log(self, agent):
        log = self.stack.dir / f"shim-{agent.name}.log"
        return log.read_text() if log.exists() else ""

    def test_1_death_at_every_write_sync_and_rename_of_the_record(self):
        points = [(kind, do) for kind in ("write", "fsync", "rename") for do in ("kill", "killafter")]
        for name, late in (("the root that is seen first", False), ("the trial", False), ("the proof", True)):
            hit = self.update_all(points, name, late)
            print(f"{name}: {len(hit)} of {len(points)} died")
            self.assertEqual(len(hit), len(points), name)

    def test_2_death_at_any_moment(self):
        rng = random.Random(11)
        for _ in range(3):
            began = {agent: agent.starts for agent in self.agents}

            def kill_some(_name):
                end = time.monotonic() + 2.5
                while time.monotonic() < end:
                    time.sleep(rng.uniform(0.05, 0.5))
                    agent = rng.choice(self.agents)
                    # Twice at most: the third end of a trial is one too many, as it should be.
                    if agent.running() and agent.starts - began[agent] < 3:
                        agent.process.kill()
            self.after_start = kill_some
            self.update_all([None] * AGENTS, "kill -9 at any moment")


if __name__ == "__main__":
    main()
