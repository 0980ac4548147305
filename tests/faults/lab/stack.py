"""LabStack: the end-to-end Stack, with what faults need on top.

Every agent runs from a program file of its own name (a hard link), by which holdfast-mark knows
whose effect it is; agents and holdfastd can be started again after a kill without waiting.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))

from harness import poison, procs  # noqa: E402
from harness.procs import wait_for  # noqa: E402
from harness.stack import BIN, START_SECONDS, Agent, Stack, free_ports  # noqa: E402,F401  (for the rows)

MARK = BIN / "holdfast-mark"


class LabAgent(Agent):
    """`program`: another build of the agent; `env`: more environment for warden; `prefix`: words
    before the program (unshare, ...)."""

    def __init__(self, stack, name, program=None, env=None, prefix=()):
        super().__init__(stack, name)
        self.state = stack.states / f"agent-{name}"
        self.program = stack.link_program(f"agent-{name}", program or BIN / "holdfast-agent")
        self.has_twin = False  # a copy of its state was seen: control suspects it
        self.more_env = dict(env or {})
        self.prefix = [*stack.prefix, *prefix]

    def enrol(self, bundle, expect=0, more=()):
        if not self.prefix:
            return super().enrol(bundle, expect, more)
        done = subprocess.run([*self.prefix, self.program, "enrol", "--bundle", bundle, "--state",
                               self.state, *more], env=self.stack.env(), capture_output=True,
                              timeout=60, check=False)
        assert done.returncode == expect, done.stderr.decode()
        self.id = done.stdout.decode().split()[-1]
        return done

    def start(self):
        assert not self.running(), f"agent {self.name} runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, self.program, "run", "--state", self.state],
                env=self.stack.env(**self.more_env), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
                preexec_fn=procs.end_with_parent)
        return self

    def journal(self):
        """The lines of `journal dump`: the head, and one a command that is not a tombstone."""
        done = subprocess.run([BIN / "holdfast-agent", "journal", "dump", "--state", self.state],
                              env=self.stack.env(), capture_output=True, timeout=30, check=False)
        if done.returncode != 0:
            raise AssertionError(f"agent {self.name}: journal dump: {done.stderr.decode()}")
        return done.stdout.decode().splitlines()


class LabStack(Stack):
    def __init__(self, gateways=2, keys=(), folder=None, max_targets=1000):
        super().__init__(gateways, keys, folder)
        self.max_targets = max_targets
        self.programs = self.dir / "programs"
        self.programs.mkdir()
        self.server_host = ""  # instead of 127.0.0.1
        self.prefix = ()       # words before every agent's program
        self.aliases = {}      # program name of a copied agent: that of the one it was copied from
        self.states = self.dir / "states"
        self.states.mkdir()
        self.effects = self.dir / "effects"
        self.effects.mkdir()
        self.effects.chmod(0o777)

    def init_argv(self, scheme="wss"):
        words = [*super().init_argv(scheme), "--act-max-targets", self.max_targets]
        if self.server_host:
            words[words.index("--server") + 1] = f"{scheme}://{self.server_host}:{self.agent_port}"
        return words

    def link_program(self, name, source):
        """A file of that name with the program's bytes; one copy for all."""
        copy = self.programs / f"copy-{pathlib.Path(source).name}"
        if not copy.exists():
            shutil.copy2(source, copy)
        path = self.programs / name
        path.unlink(missing_ok=True)
        os.link(copy, path)
        return path

    def make_agent(self, name, bundle=None, **how):
        """Enrolled, not started."""
        agent = self.agents[name] = LabAgent(self, name, **how)
        agent.enrol(bundle or self.bundle())
        return agent

    def make_agents(self, count, prefix="a", **how):
        if count == 0:
            return []
        bundle = self.bundle("--uses", str(count))
        made = [self.make_agent(f"{prefix}{i}", bundle, **how) for i in range(count)]
        for agent in made:
            agent.start()
        self.wait_online(*made, seconds=START_SECONDS * 4)
        return made

    def kill_backend(self):
        """kill -9 of the supervisor alone; its children must end by themselves, but for gateways."""
        below = self.backend_processes()
        self.remember(below)
        below = [p for p in below if self.role_of(p) != "gateway"]
        self.backend.send_signal(signal.SIGKILL)
        self.backend.wait(10)
        self.backend = None
        wait_for(lambda: not any(p.alive() for p in below), 15,
                 lambda: f"outlive a killed supervisor: {[p for p in below if p.alive()]}")

    def role_of(self, process):
        """"supervisor", "gateway", "control", "redis", "warden", "link", "keeper", "worker"."""
        words = process.argv
        if "--role" in words:
            return words[words.index("--role") + 1]
        if words and "redis-server" in words[0]:
            return "redis"
        if len(words) > 1 and words[1] in ("link", "keeper", "worker"):
            return words[1]
        if len(words) > 1 and words[1] == "run":
            return "warden"
        return "supervisor" if words and words[0].endswith("holdfastd") else "other"
