#!/usr/bin/env python3
"""Two hosts, the record in PostgreSQL on a third, each in a network of its own: the first is cut off from all others while it runs on.
An operator starts the second, agents find it, nothing accepted is lost or run twice, and the first one ends when it is back."""
import ctypes
import os
import shutil
import subprocess
import time
import unittest

from harness import procs
from harness.case import main
from harness.postgres import Postgres
from harness.procs import wait_for
from harness.stack import Stack, free_ports, set_key

CLONE_NEWNET = 0x40000000  # unshare(2)
FIRST, SECOND = "10.77.1", "10.77.2"  # of the host .1, of us .2
TAKE_OVER_SECONDS = 60
REDIAL_SECONDS = 150  # a link without a word is given up after 84 s, or after 40 s with work open
END_SECONDS = 60


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True, capture_output=True, stdin=subprocess.DEVNULL)


class Host:
    """A network of its own, with one cable to ours."""

    def __init__(self, name, net):
        self.cable, self.net = f"hf-{name}", net
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"], preexec_fn=procs.end_with_parent)
        ours = os.readlink("/proc/thread-self/ns/net")
        wait_for(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != ours, 10, "no network of its own")
        self.prefix = ("nsenter", "-t", str(self.holder.pid), "-n")
        ip("link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.holder.pid)
        ip("address", "add", f"{net}.2/30", "dev", self.cable)
        ip("link", "set", self.cable, "up")
        for words in (("address", "add", f"{net}.1/30", "dev", "eth0"), ("link", "set", "eth0", "up"), ("link", "set", "lo", "up")):
            subprocess.run([*self.prefix, "ip", *words], check=True, capture_output=True)

    def plug(self, on):
        ip("link", "set", self.cable, "up" if on else "down")

    def stop(self):
        self.holder.kill()
        self.holder.wait()


class NetPostgres(Postgres):
    """For whoever is on our cables."""

    def __init__(self, port):
        super().__init__()
        self.port = port
        (self.home / "data/pg_hba.conf").write_text(f"local all all trust\nhost all all {FIRST}.0/30 trust\n"
                                                    f"host all all {SECOND}.0/30 trust\n")

    @property
    def url(self):
        return f"postgresql://holdfast@/postgres?host={self.home}&port={self.port}"

    def settings(self):
        return super().settings() | {"listen_addresses": "*", "port": self.port}

    def url_from(self, net):
        return f"postgresql://holdfast@{net}.2:{self.port}/postgres"


class PartitionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare: this test makes networks, and so is root's")
        ip("link", "set", "lo", "up")
        cls.hosts = [Host("first", FIRST), Host("second", SECOND)]
        for host in cls.hosts:
            cls.addClassCleanup(host.stop)
        cls.postgres = NetPostgres(free_ports(1)[0]).start()
        cls.addClassCleanup(cls.postgres.stop)

    def setUp(self):
        self.first = Stack(1, (("store", "url", self.postgres.url_from(FIRST)), ("tls", "plain", True)))
        self.first.host, self.first.backend_prefix = f"{FIRST}.1", self.hosts[0].prefix
        self.addCleanup(self.first.stop)
        self.first.run("holdfast", *self.first.init_argv("ws"))
        ports = free_ports(3)
        servers = [f"ws://{FIRST}.1:{self.first.agent_port}", f"ws://{SECOND}.1:{ports[0]}"]
        config = self.first.fleet / "server/holdfastd.toml"
        text = set_key(config.read_text(), "fleet", "servers", servers)
        for section, key, value in (("gateways", "count", 1), *self.first.keys):
            text = set_key(text, section, key, value)
        config.write_text(text)
        tools = self.first.fleet / "fleet.toml"
        tools.write_text(set_key(tools.read_text(), "", "servers", servers))
        self.second = self.copy_of(self.first, ports)
        self.addCleanup(self.second.stop)
        self.first.start()
        self.agent = self.first.add_agent("a")
        self.said = []
        self.addCleanup(lambda: self.said.extend((self.first.logs(), self.second.logs())))  # before they are gone

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print("\n".join(self.said))

    def copy_of(self, first, ports):
        other = Stack()
        shutil.copytree(first.fleet, other.fleet, ignore=shutil.ignore_patterns("state"))
        (other.fleet / "server/state").mkdir(exist_ok=True)
        other.host, other.backend_prefix = f"{SECOND}.1", self.hosts[1].prefix
        other.agent_port, other.api_port, other.admin_port = ports
        config = other.fleet / "server/holdfastd.toml"
        text = set_key(config.read_text(), "store", "url", self.postgres.url_from(SECOND))
        for section, port in (("agents", other.agent_port), ("api", other.api_port), ("admin", other.admin_port)):
            text = set_key(text, section, "listen", f"{SECOND}.1:{port}")
        config.write_text(text)
        tools = other.fleet / "fleet.toml"
        tools.write_text(tools.read_text().replace(f"{FIRST}.1:{first.api_port}", f"{SECOND}.1:{other.api_port}"))
        return other

    def job(self, stack, script):
        return stack.holdfast("exec", self.agent.id, "--wait", "0", "--", "/bin/sh", "-c", script).json()[0]["job"]

    def outcome(self, stack, job):
        return stack.holdfast("job", job).json()["deliveries"][0]["outcome"]

    def take_over(self):
        """As an operator does: until PostgreSQL has noticed that the first host's session is gone, the second is refused."""
        began = time.monotonic()
        while True:
            try:
                self.second.start()
                return time.monotonic() - began
            except AssertionError:
                if time.monotonic() - began > TAKE_OVER_SECONDS:
                    raise
                self.assertIn("another holdfastd has this record open", self.second.log.read_text())
                time.sleep(1)

    def test_a_host_that_is_cut_off_is_replaced_and_ends_when_it_is_back(self):
        first, second = self.first, self.second
        marks = first.dir / "marks"
        marks.mkdir()
        done = self.job(first, f"echo x >> {marks}/done")
        wait_for(lambda: self.outcome(first, done) == "DONE", 20, first.logs)
        running = self.job(first, f"echo x >> {marks}/running; sleep 15; echo said")
        wait_for((marks / "running").exists, 20, first.logs)
        sent = [self.job(first, f"echo x >> {marks}/{i}") for i in range(10)]
        cut = time.monotonic()
        self.hosts[0].plug(False)
        took = self.take_over()
        wait_for(lambda: second.agent_rows()[self.agent.id]["online"], REDIAL_SECONDS, second.logs, every=0.2)
        print(f"the second host had the record {took:.1f} s after the cut, and the agent {time.monotonic() - cut:.1f} s after it")
        for job in (*sent, running):
            wait_for(lambda job=job: self.outcome(second, job) == "DONE", 60, second.logs, every=0.2)
        self.assertEqual(second.holdfast("results", running, output=None).text, "said\n")
        after = self.job(second, f"echo x >> {marks}/after")
        wait_for(lambda: self.outcome(second, after) == "DONE", 30, second.logs)

        # It has run on all the time, and does not know.
        self.assertIsNone(first.backend.poll())
        self.hosts[0].plug(True)
        self.assertEqual(first.backend.wait(END_SECONDS), 1)
        first.remember(first.backend_processes())
        first.backend = None
        self.assertIn("event=record_taken", first.log.read_text(errors="replace"))
        self.assertEqual(self.outcome(second, self.job(second, f"echo x >> {marks}/last")) in ("DONE", None), True)
        wait_for((marks / "last").exists, 30, second.logs)
        self.assertEqual({m.name: m.read_text() for m in marks.iterdir()},
                         {name: "x\n" for name in ("done", "running", "after", "last", *map(str, range(10)))})
        self.assertIn("one unbroken chain", second.holdfast("audit", "--verify", output=None).text)


if __name__ == "__main__":
    main()
