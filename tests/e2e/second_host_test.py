#!/usr/bin/env python3
"""docs/operations/several-hosts.md, "Another host in place of the first": with the record in PostgreSQL a second holdfastd goes on
where a dead one stopped, nothing accepted is lost or run twice, and one that was only thought to be dead confirms nothing more."""
import hashlib
import os
import shutil
import signal
import time
import unittest

from harness import procs
from harness.case import main
from harness.postgres import Postgres
from harness.procs import wait_for
from harness.stack import Stack, free_ports, set_key

LARGE = 2 * 1024 * 1024 + 3
GROWING = 1024 * 1024
AWAY_SECONDS = 8
REDIAL_SECONDS = 60


class SecondHostTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres().start()
        cls.addClassCleanup(cls.postgres.stop)
        cls.ports = free_ports(3)  # of the second host: agents, API, admin

    def setUp(self):
        """A fleet of its own for each test: both end with the first host's end."""
        self.postgres.say("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        self.first = Stack(1, (("store", "url", self.postgres.url),))
        self.addCleanup(self.first.stop)
        self.first.init()
        config = self.first.fleet / "server/holdfastd.toml"
        servers = [f"wss://127.0.0.1:{port}" for port in (self.first.agent_port, self.ports[0])]
        config.write_text(set_key(config.read_text(), "fleet", "servers", servers))
        tools = self.first.fleet / "fleet.toml"
        tools.write_text(set_key(tools.read_text(), "", "servers", servers))
        self.first.start()
        self.agent = self.first.add_agent("a")
        self.second = self.copy_of(self.first)
        self.addCleanup(self.second.stop)
        self.said = []
        self.addCleanup(lambda: self.said.extend((self.first.logs(), self.second.logs())))  # before they are gone

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print("\n".join(self.said))

    def copy_of(self, first):
        """What the page says to copy: configuration, policy, users, certificates. The tools reach it at its own API."""
        other = Stack()
        shutil.copytree(first.fleet, other.fleet, ignore=shutil.ignore_patterns("state"))
        (other.fleet / "server/state").mkdir(exist_ok=True)
        other.agent_port, other.api_port, other.admin_port = self.ports
        config = other.fleet / "server/holdfastd.toml"
        text = config.read_text()
        for section, port in (("agents", other.agent_port), ("api", other.api_port), ("admin", other.admin_port)):
            text = set_key(text, section, "listen", f"127.0.0.1:{port}")
        config.write_text(text)
        tools = other.fleet / "fleet.toml"
        tools.write_text(tools.read_text().replace(str(first.api_port), str(other.api_port)))
        return other

    def storage_moves(self):
        """As if both folders lay on storage that the second host mounts."""
        for folder in ("results", "blobs"):
            shutil.copytree(self.first.fleet / "server/state" / folder, self.second.fleet / "server/state" / folder)

    def everything_of(self, stack):
        return [procs.Process(stack.backend.pid), *procs.descendants(stack.backend.pid)]

    def outcome(self, stack, job):
        return stack.holdfast("job", job).json()["deliveries"][0]["outcome"]

    def job(self, stack, *argv):
        return stack.holdfast("exec", self.agent.id, "--wait", "0", "--", "/bin/sh", "-c", *argv).json()[0]["job"]

    def test_it_goes_on_where_a_killed_one_stopped(self):
        first, second = self.first, self.second
        effects = first.dir / "effects"
        effects.mkdir()
        source = first.dir / "source"
        source.write_bytes(os.urandom(LARGE))
        large = first.holdfast("get", self.agent.id, source, "-d", first.dir / "got").json()[0]["job"]
        refused = second.run("holdfastd", "--dir", second.fleet, expect=1, timeout=30)
        self.assertIn("another holdfastd has this record open", refused.err)

        # Under way when it ends: one that has sent half of its output, and several that are on their way.
        growing = self.job(first, f"echo x >> {effects}/growing; head -c {GROWING} /dev/zero; sleep {AWAY_SECONDS}; "
                                  f"head -c {GROWING} /dev/zero | tr '\\0' x")
        half = "SELECT count(*) FROM deliveries WHERE place = 2 AND stored_bytes >= " + str(GROWING)
        wait_for(lambda: self.postgres.say(half) == "1", 20, first.logs)  # in a file, and acknowledged
        jobs = [self.job(first, f"echo x >> {effects}/{i}") for i in range(10)]
        first.remember(procs.descendants(first.backend.pid))
        ended = time.monotonic()
        for process in self.everything_of(first):
            process.kill()
        self.storage_moves()
        second.start()
        wait_for(lambda: second.agent_rows()[self.agent.id]["online"], REDIAL_SECONDS, second.logs, every=0.2)
        print(f"the agent is at the second host {time.monotonic() - ended:.1f} s after the end of the first")
        for job in [*jobs, growing]:
            wait_for(lambda job=job: self.outcome(second, job) == "DONE", 30, second.logs, every=0.2)
        for name in ("growing", *map(str, range(10))):
            self.assertEqual((effects / name).read_text(), "x\n")
        for job, digest in ((large, hashlib.sha256(source.read_bytes())),
                            (growing, hashlib.sha256(b"\0" * GROWING + b"x" * GROWING))):
            into = second.dir / job
            shown = second.holdfast("results", job, "-d", into, output=None).out
            files = [p.read_bytes() for p in into.rglob("*") if p.is_file()] if into.exists() else []
            self.assertIn(digest.hexdigest(), [hashlib.sha256(data).hexdigest() for data in (shown, *files)])
        self.assertIn("one unbroken chain", second.holdfast("audit", "--verify", output=None).text)

    def test_one_that_was_only_frozen_confirms_nothing_more(self):
        first, second = self.first, self.second
        marks = first.dir / "marks"
        marks.mkdir()
        before = self.job(first, f"echo x >> {marks}/before")
        wait_for(lambda: self.outcome(first, before) == "DONE", 20, first.logs)
        frozen = self.everything_of(first)
        for process in frozen:
            process.kill(signal.SIGSTOP)
        try:
            # What an analyst has sent to it lies in its sockets.
            asked = first.holdfast_begin("exec", self.agent.id, "--wait", "0", "--", "/bin/sh", "-c", f"echo x >> {marks}/frozen")
            self.assertIn("another holdfastd has this record open", second.run("holdfastd", "--dir", second.fleet, expect=1, timeout=30).err)
            # PostgreSQL notices that the host is gone (here its kernel still answers, so it is told).
            self.postgres.say("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'holdfast %'")
            self.storage_moves()
            second.start()
            wait_for(lambda: second.agent_rows()[self.agent.id]["online"], 2 * REDIAL_SECONDS, second.logs, every=0.2)
            after = self.job(second, f"echo x >> {marks}/after")
            wait_for(lambda: self.outcome(second, after) == "DONE", 30, second.logs)
            count = int(self.postgres.say("SELECT count(*) FROM commands"))
        finally:
            for process in frozen:
                process.kill(signal.SIGCONT)
        out, err = asked.communicate(timeout=60)
        self.assertNotEqual(asked.returncode, 0, (out, err))
        reply = first.holdfast("exec", self.agent.id, "--wait", "0", "--", "true", expect=None, timeout=60)
        self.assertNotEqual(reply.status, 0, reply)
        # And it ends, so that no agent stays with it.
        self.assertEqual(first.backend.wait(30), 1)
        first.backend = None
        self.assertIn("event=record_taken", first.log.read_text(errors="replace"))
        # The second one's word counts, and it serves on.
        self.assertEqual(int(self.postgres.say("SELECT count(*) FROM commands")), count)
        self.assertEqual(sorted(p.name for p in marks.iterdir()), ["after", "before"])
        last = self.job(second, f"echo x >> {marks}/last")
        wait_for(lambda: self.outcome(second, last) == "DONE", 30, second.logs)
        self.assertIn("one unbroken chain", second.holdfast("audit", "--verify", output=None).text)
        self.assertTrue(all(m.read_text() == "x\n" for m in marks.iterdir()))


if __name__ == "__main__":
    main()
