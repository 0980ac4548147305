#!/usr/bin/env python3
"""An agent whose disk others have filled: nothing runs that is not in its journal, refusals come at once, a link
is made all the same, what runs waits and goes on without a hole, and service is back with the space.

The state directory lies on a file system of 24 MiB. Mounting it needs root.
"""
import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import time

from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import Agent, Stack

DISK_MIB = 24
COMMANDS = int(os.environ.get("HOLDFAST_FULL_DISK_COMMANDS", "12"))  # 200: the figure of the fault table
NACK_SECONDS = 1
BACK_SECONDS = 10


def fill_up(path):
    """To the last byte: tmpfs gives single pages."""
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass


class FullDiskTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.agents["a"] = Agent(cls.stack, "a")
        cls.agent.state.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}M", "tmpfs", cls.agent.state],
                       check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", cls.agent.state], check=False)
        cls.agent.enrol(cls.stack.bundle())
        cls.agent.start()
        cls.stack.wait_online(cls.agent)
        cls.marks = cls.stack.dir / "marks"
        cls.marks.mkdir()

    def setUp(self):
        self.empty()
        self.served_within(30)

    def tearDown(self):
        self.empty()

    def filler(self):
        return self.agent.state / "filler"

    def fill(self):
        fill_up(self.filler())
        self.assertEqual(self.free(), 0)

    def empty(self):
        self.filler().unlink(missing_ok=True)

    def free(self):
        facts = os.statvfs(self.agent.state)
        return facts.f_bavail * facts.f_frsize

    def touch(self, name):
        """A command with an effect: the file tells whether it ran."""
        return self.stack.holdfast("exec", "--wait", "20s", self.agent.id, "--", "touch",
                                   self.marks / name, expect=None).json()[0]

    def served_within(self, seconds):
        began = time.monotonic()
        tries = 0

        def is_served():
            nonlocal tries
            tries += 1
            return self.touch(f"served-{began}-{tries}")["outcome"] == "DONE"
        wait_for(is_served, seconds, self.stack.logs, every=0.3)
        return time.monotonic() - began

    def answer_seconds(self, job):
        """From the delivery at the agent to its refusal, by control's clock."""
        (end,) = self.stack.holdfast("job", job).json()["deliveries"]
        stamps = []
        for name in ("sent", "ended"):
            text = end[name].rstrip("Z")
            whole, _, part = text.partition(".")
            stamps.append(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (part or "0")))
        return stamps[1] - stamps[0]

    def test_nothing_runs_unjournaled_and_service_is_back_with_the_space(self):
        self.fill()
        slowest = 0
        for number in range(COMMANDS):
            row = self.touch(f"full-{number}")
            self.assertEqual(row["outcome"], "REFUSED", row)
            self.assertIn(row["failure"], ("NO_JOURNAL", "SPOOL_FULL"))
            slowest = max(slowest, self.answer_seconds(row["job"]))
            self.assertFalse((self.marks / f"full-{number}").exists())
        self.empty()
        back = self.served_within(BACK_SECONDS)
        print(f"{self.id()}: {COMMANDS} refused, the slowest after {slowest:.3f} s; back {back:.1f} s after the space")
        self.assertLessEqual(slowest, NACK_SECONDS)
        self.assertEqual(list(self.marks.glob("full-*")), [])

    def test_a_link_is_made_on_a_full_disk(self):
        reserve = self.agent.state / "reserve"
        wait_for(reserve.exists, 15, "no reserve")
        self.fill()
        link = self.agent.children("link")[0]
        link.kill()
        wait_for(lambda: self.agent.children("link"), 5, "no new link process")
        self.stack.wait_online(self.agent, seconds=10)
        self.assertFalse(reserve.exists())
        self.assertEqual(self.touch("linked")["outcome"], "REFUSED")
        self.empty()
        wait_for(reserve.exists, 15, "the reserve did not come back")

    def test_an_agent_starts_on_a_full_disk(self):
        wait_for((self.agent.state / "reserve").exists, 15, "no reserve")
        self.agent.kill()
        self.fill()
        self.agent.start()
        self.stack.wait_online(self.agent, seconds=10)
        self.assertEqual(self.touch("started")["outcome"], "REFUSED")

    def test_output_waits_for_room_and_arrives_whole(self):
        """Control is frozen, so nothing of it is taken; then there is no room left at all."""
        source = self.stack.dir / "source.bin"
        source.write_bytes(os.urandom(40 << 20))
        into = self.stack.dir / "into"
        (control,) = self.stack.processes("control")
        get = self.stack.holdfast_begin("get", self.agent.id, source, "-d", into)
        try:
            wait_for(lambda: self.free() < 18 << 20 or get.poll() is not None, 30, self.stack.logs, every=0.01)
            control.kill(signal.SIGSTOP)
            self.assertIsNone(get.poll(), "it was over before it could be frozen")
            wait_for(lambda: self.free() < 6 << 20, 30, self.stack.logs)  # the floor is 4 MiB
            self.fill()
            rss = self.agent.warden().memory("Rss")
            time.sleep(3)
            self.assertLess(self.agent.warden().memory("Rss") - rss, 4 << 20)
        finally:
            control.kill(signal.SIGCONT)
        out, err = get.communicate(timeout=120)
        self.assertEqual(get.returncode, 0, f"{out.decode()} {err.decode()}")
        (local,) = [p for p in into.rglob("*") if p.is_file()]
        self.assertEqual(hashlib.sha256(local.read_bytes()).digest(),
                         hashlib.sha256(source.read_bytes()).digest())


class SpoolMaxTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a", start=False)
        cls.agent.options = ["--spool-max", "16M"]
        cls.agent.start()
        cls.stack.wait_online(cls.agent)

    def test_a_size_that_makes_no_sense_is_refused(self):
        for size in ("0", "15M", "65G", "16X", "M", "-1", "99999999999999999999"):
            self.stack.run("holdfast-agent", "run", "--state", self.agent.state, "--spool-max", size, expect=2)

    def test_it_bounds_what_waits(self):
        source = self.stack.dir / "source.bin"
        source.write_bytes(os.urandom(48 << 20))
        (control,) = self.stack.processes("control")
        get = self.stack.holdfast_begin("get", self.agent.id, source, "-d", self.stack.dir / "into")
        try:
            wait_for(lambda: self.spooled() > 1 << 20 or get.poll() is not None, 30, self.stack.logs, every=0.01)
            control.kill(signal.SIGSTOP)
            self.assertIsNone(get.poll(), "it was over before it could be frozen")
            wait_for(lambda: self.spooled() > 12 << 20, 30, self.stack.logs)
            time.sleep(2)
            self.assertLessEqual(self.spooled(), 16 << 20)
        finally:
            control.kill(signal.SIGCONT)
        get.communicate(timeout=120)
        self.assertEqual(get.returncode, 0)

    def spooled(self):
        return sum(p.stat().st_size for p in pathlib.Path(self.agent.state, "spool").glob("*.seg"))


class FullBackendTest(StackTest):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack().init()
        cls.addClassCleanup(cls.stack.stop)
        cls.state = cls.stack.fleet / "server/state"
        cls.state.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}M,mode=0700", "tmpfs", cls.state],
                       check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", cls.state], check=False)
        cls.stack.start()

    def test_a_login_that_cannot_be_recorded_is_refused_at_once(self):
        """The tool waits 2 s for a backend that is not there; this one is, and says no."""
        self.stack.holdfast("agents")
        fill_up(self.state / "filler")
        tries = []
        for _ in range(4):
            began = time.monotonic()
            done = self.stack.holdfast("agents", expect=None)
            tries.append((time.monotonic() - began, done.status, done.err))
        (self.state / "filler").unlink()
        refused = [(took, words) for took, status, words in tries if status != 0]
        self.assertTrue(refused, tries)  # the first may still have found room
        took, words = min(refused)
        self.assertLess(took, 1.5, tries)
        self.assertIn("cannot write to its store now", words)
        self.assertNotIn("refuses this operator", words)
        self.stack.holdfast("agents")


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("full_disk_test: not root: no file system can be mounted here")
        sys.exit(77)
    main()
