"""The throwaway backend, its simulated agents, and who sends them commands."""
import json
import os
import subprocess
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))
from harness import procs, stack as stack_module  # noqa: E402
from harness.stack import Stack, set_key  # noqa: E402

from . import readings  # noqa: E402

LINKS_PER_GATEWAY = 18000  # of 20,000 descriptors; the rest is room for those that come back
ENROL_SECONDS = 900


class Child:
    """A program that takes orders on stdin and answers in lines of JSON."""

    def __init__(self, argv, env):
        self.process = subprocess.Popen([str(word) for word in argv], env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True,
                                        preexec_fn=procs.end_with_parent)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.say(line)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args[0]} has ended: {self.process.wait()}")
        return json.loads(answer)

    def end(self, seconds=60):
        self.process.stdin.close()
        rest = self.process.stdout.read()
        self.process.wait(seconds)
        return rest


class World:
    """init -> enrol -> start -> fleet, volley; server() says who is who below holdfastd."""

    def __init__(self, agents, tls, links_per_second):
        self.agents = agents
        self.gateways = -(-agents // LINKS_PER_GATEWAY)
        self.tls = tls
        self.settings = [("gateways", "count", self.gateways), ("fleet", "simulation", True),
                         ("admission", "links_per_second", links_per_second)]
        if not tls:
            self.settings.append(("tls", "plain", True))
        self.stack = Stack(gateways=self.gateways)
        self.simulation = self.stack.dir / "simulation"
        self.server_processes = {}

    def start(self):
        stack = self.stack
        stack.run("holdfast", *stack.init_argv("wss" if self.tls else "ws"), "--act-max-targets", self.agents)
        config = stack.fleet / "server/holdfastd.toml"
        text = config.read_text()
        for section, key, value in self.settings:
            text = set_key(text, section, key, value)
        config.write_text(text)
        stack.run("holdfast-fleet", "enrol", "--dir", stack.fleet, "--agents", self.agents, "--file",
                  self.simulation, timeout=ENROL_SECONDS)
        stack.start()
        self.find_processes()

    def find_processes(self):
        """Who is who below holdfastd, now."""
        stack = self.stack
        self.server_processes = {"supervisor": stack.backend.pid}
        for process in procs.descendants(stack.backend.pid):
            argv = process.argv
            slot = argv[argv.index("--slot") + 1] if "--slot" in argv else "redis"
            self.server_processes[slot] = process.pid

    def start_fleet(self, resumes=True):
        binary = stack_module.BIN / "holdfast-fleet"
        return Child([binary, "--bundle", self.simulation, "--agents", self.agents, "--source-base", "127.1.0.0",
                      "--in-flight", "800", "--steered", *([] if resumes else ["--full-handshakes"])], self.stack.env())

    def order(self, *words):
        """What an administrator orders with holdfastd; returns when it says that it is done."""
        self.stack.run("holdfastd", "--dir", self.stack.fleet, *words, timeout=ENROL_SECONDS)

    def start_volley(self):
        binary = stack_module.BIN / "holdfast-volley"
        return Child([binary, "--dir", self.stack.fleet, "--simulation", self.simulation], self.stack.env())

    def links_of_gateways(self):
        metrics = self.stack.metrics()
        return [int(metrics.get(f'holdfast_links{{proc="g{i}"}}', 0)) for i in range(self.gateways)]

    def server_cpu(self):
        return {slot: readings.cpu_seconds(pid) for slot, pid in self.server_processes.items()}

    def server_memory(self):
        """{slot: (private, Pss)}"""
        return {slot: readings.memory(pid) for slot, pid in self.server_processes.items()}

    def fleet_processes(self, fleet):
        return [fleet.process.pid, *(p.pid for p in procs.descendants(fleet.process.pid))]

    def stop(self):
        self.stack.stop()


def set_binaries(folder):
    stack_module.BIN = pathlib.Path(folder).resolve()
    os.environ["HOLDFAST_BIN"] = str(stack_module.BIN)
