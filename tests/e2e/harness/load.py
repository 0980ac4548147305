"""Load: commands without end, from several lanes, while a test breaks something; and whether the promise was kept."""
import collections
import json
import threading
import time

from .procs import wait_for

LANES = 3


class Load:
    """Each command leaves a mark when it runs: what was accepted ran once, what was refused at most once."""

    def __init__(self, test, agent, seconds):
        """`seconds`: within so long it goes on, once what was broken is whole."""
        self.test, self.agent, self.seconds = test, agent, seconds
        self.marks = test.stack.dir / f"marks-{time.monotonic_ns()}"
        self.marks.mkdir()
        self.accepted, self.refused, self.waits = [], collections.Counter(), []
        self.stopped = threading.Event()
        self.lanes = [threading.Thread(target=self._lane, args=(n,)) for n in range(LANES)]

    def _lane(self, number):
        for i in range(100000):
            if self.stopped.is_set():
                return
            mark, begun = self.marks / f"{number}-{i}", time.monotonic()
            reply = self.test.stack.holdfast("exec", self.agent.id, "--wait", "0", "--", "/bin/sh", "-c", f"echo x >> {mark}",
                                             expect=None, timeout=60)
            self.waits.append(time.monotonic() - begun)
            if reply.status == 0:
                self.accepted.append((json.loads(reply.out)[0]["job"], mark))
            else:
                self.refused[reply.err.strip()[-160:]] += 1

    def __enter__(self):
        for lane in self.lanes:
            lane.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for lane in self.lanes:
            lane.join()

    def goes_on(self):
        """Seconds until something is accepted again from every lane."""
        begun, before = time.monotonic(), len(self.accepted)
        wait_for(lambda: len(self.accepted) > before + LANES, self.seconds, self.test.stack.logs, every=0.05)
        return round(time.monotonic() - begun, 1)

    def ran(self):
        """How many of those that were accepted have run."""
        return sum(mark.exists() for _, mark in list(self.accepted))

    def check(self):
        """After the end: nothing was lost, nothing was done twice. Returns how many ran."""
        test = self.test
        open_jobs = lambda: {row["job"] for row in test.stack.holdfast("jobs", "--open").json()}
        wait_for(lambda: not open_jobs(), self.seconds, test.stack.logs, every=0.3)
        print(f"{len(self.accepted)} accepted, {sum(self.refused.values())} refused, the longest wait {max(self.waits):.1f} s: "
              f"{dict(self.refused)}")
        test.assertTrue(self.accepted)
        test.assertTrue(all("UNAVAILABLE" in words or "may or may not have been" in words for words in self.refused), self.refused)
        times = collections.Counter(len(mark.read_text()) // 2 if mark.exists() else 0 for _, mark in self.accepted)
        test.assertEqual(set(times), {1}, times)
        # What was refused may have been recorded (its answer was lost), but never twice.
        test.assertFalse([m for m in self.marks.iterdir() if len(m.read_text()) != 2])
        done = {row["job"]: row["succeeded"] for row in test.stack.holdfast("jobs", "--limit", "1000").json()}
        test.assertEqual({done[job] for job, _ in self.accepted if job in done}, {1})
        return len(list(self.marks.iterdir()))
