#!/usr/bin/env python3
"""Programs that do not want to end: `yes`, 10 GiB of output, a fork bomb, and chains of processes that fork and
leave faster than anybody can look. Each is over 2 s after its limit, nothing is left of it, and the agent stays small.

The bombs are bounded: each fork takes a token out of a pipe, and every process leaves after BOMB_SECONDS.
"""
import re
import sys
import threading
import time

from harness import procs
from harness.case import StackTest, main

WALL_SECONDS = 3
BOMB_SECONDS = 25  # a bomb that nobody ends; a test that waits for it fails
GRACE_MS = 2000
MAX_RSS = 64 << 20
MARK = "holdfast-bomb"

# argv: MARK, kind. "tree": every process forks until 300 live. "chains": four lines of processes, each of which
# forks its successor into a session of its own and leaves.
BOMB = """
import os, sys, time
kind, end = sys.argv[2], time.monotonic() + %d
out, into = os.pipe2(os.O_NONBLOCK)
os.write(into, b"x" * (300 if kind == "tree" else 60000))
def token():
    try:
        return os.read(out, 1) != b""
    except BlockingIOError:
        return False
if kind == "chains":
    for _ in range(4):
        if os.fork() == 0:
            break
    else:
        time.sleep(end - time.monotonic())
while time.monotonic() < end:
    if not token():
        time.sleep(0.05)
    elif os.fork() > 0 and kind == "chains":
        os._exit(0)
    elif kind == "chains":
        os.setsid()
""" % BOMB_SECONDS

# Eight processes, 64 MiB each: none of them is above a limit of 256 MiB by itself.
HOGS = """
import os, time
for _ in range(7):
    if os.fork() == 0:
        break
kept = bytearray(os.urandom(1 << 20) * 64)
time.sleep(%d)
""" % BOMB_SECONDS


class RunawayTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    def setUp(self):
        self.most = 0
        self.seen = 0
        self.watching = True
        watcher = threading.Thread(target=self.watch)
        watcher.start()

        def stop():
            self.watching = False
            watcher.join()
        self.addCleanup(stop)

    def bombs(self):
        return [p for p in procs.all_processes() if MARK in p.argv]

    def watch(self):
        """How large the agent gets (what the analyst's program itself uses is not counted)."""
        while self.watching:
            sizes = 0
            for p in procs.descendants(self.agent.process.pid) + [self.agent.warden()]:
                try:
                    if MARK not in p.argv and "holdfast-agent" in p.argv[0]:
                        sizes += p.memory("Rss")
                except (OSError, KeyError, IndexError):
                    pass
            self.most = max(self.most, sizes)
            self.seen = max(self.seen, len(self.bombs()))
            time.sleep(0.2)

    def lasted_ms(self, digest):
        """From its start to its end, by the agent's log."""
        at = {}
        for line in self.agent.log.read_text().splitlines():
            found = re.search(r"ts=(\S+).*event=command_(started|ended) .*digest=(\w+)", line)
            if found and found[3] == digest:
                seconds = time.strptime(found[1][:19], "%Y-%m-%dT%H:%M:%S")
                at[found[2]] = time.mktime(seconds) * 1000 + int(found[1][20:23])
        return at["ended"] - at["started"]

    def run_until_its_limit(self, *argv, options=()):
        """Its output is not fetched: there may be a gigabyte of it."""
        job = self.stack.holdfast("exec", "--wait", "0", "--max-time", f"{WALL_SECONDS}s", *options, self.agent.id,
                                  "--", *argv, output=None).text.strip()
        self.stack.holdfast("results", job, "--wait", "2m", expect=None, timeout=180, output=None)
        (end,) = self.stack.holdfast("job", job).json()["deliveries"]
        self.assertEqual(end["outcome"], "FAILED", end)
        self.assertEqual(self.bombs(), [])  # not "soon": FAILED says that they are gone
        lasted = self.lasted_ms(job)
        print(f"{self.id()}: {end['failure']} after {lasted:.0f} ms, agent at most "
              f"{self.most >> 20} MiB, {self.seen} processes at once")
        self.assertLessEqual(lasted, WALL_SECONDS * 1000 + GRACE_MS)
        self.assertLessEqual(self.most, MAX_RSS)
        self.assertGreater(self.most, 0)
        return end["failure"]

    def test_yes_ends_at_a_limit(self):
        self.assertIn(self.run_until_its_limit("yes"), ("WALL_LIMIT", "OUTPUT_LIMIT"))

    def test_ten_gib_of_output_end_at_a_limit(self):
        self.assertIn(self.run_until_its_limit("head", "-c", "10G", "/dev/zero"),
                      ("WALL_LIMIT", "OUTPUT_LIMIT"))

    def test_a_fork_bomb_ends_at_its_limit(self):
        failure = self.run_until_its_limit(sys.executable, "-SE", "-c", BOMB, MARK, "tree",
                                           options=("--max-memory", "4GiB"))
        self.assertEqual(failure, "WALL_LIMIT")
        self.assertGreater(self.seen, 100)

    def test_more_processes_than_it_may_have_end_it(self):
        failure = self.run_until_its_limit(sys.executable, "-SE", "-c", BOMB, MARK, "tree",
                                           options=("--max-processes", "50"))
        self.assertEqual(failure, "PROCESS_LIMIT")

    def test_processes_that_together_take_more_memory_than_they_may_end_it(self):
        failure = self.run_until_its_limit(sys.executable, "-SE", "-c", HOGS, MARK,
                                           options=("--max-memory", "256MiB"))
        self.assertEqual(failure, "MEMORY_LIMIT")

    def test_processes_that_take_turns_stay_within_their_limits(self):
        said = self.stack.holdfast("exec", "--max-processes", "3", "--max-memory", "64MiB", self.agent.id, "--",
                                   "sh", "-c", "for i in $(seq 100); do true | cat; done; echo done", output=None)
        self.assertIn("done", said.text)

    def test_as_many_processes_as_it_may_have_are_left_alone(self):
        """For longer than the keeper's time between two looks; the agent's own are not counted."""
        said = self.stack.holdfast("exec", "--max-processes", "3", self.agent.id, "--",
                                   "sh", "-c", "sleep 1 | sleep 1; echo done", output=None)
        self.assertIn("done", said.text)

    def test_chains_of_processes_that_run_away_end_at_the_limit(self):
        failure = self.run_until_its_limit(sys.executable, "-SE", "-c", BOMB, MARK, "chains")
        self.assertEqual(failure, "WALL_LIMIT")


if __name__ == "__main__":
    main()
