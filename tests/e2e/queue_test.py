#!/usr/bin/env python3
"""More commands than an agent takes at once wait for one that is away, and all of them run, once."""
import concurrent.futures

from harness.case import StackTest, main
from harness.procs import wait_for

QUEUED = 200       # an agent takes 64 at once, and control hands it 32
SIGNERS = 4        # command lines at a time
END_SECONDS = 120  # 200 workers of a debug build on a busy machine


class QueueTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("away")

    def queue(self, number):
        return self.stack.holdfast("exec", self.agent.id, "--wait", "0", "--", "sh", "-c",
                                   f"echo {number} >> {self.mark}", expect=None).json()[0]["job"]

    def test_all_that_was_queued_for_an_agent_that_was_away_is_done_once(self):
        self.mark = self.stack.dir / "ran"
        self.agent.stop()
        self.stack.wait_online(self.agent, online=False)
        with concurrent.futures.ThreadPoolExecutor(SIGNERS) as pool:
            jobs = list(pool.map(self.queue, range(QUEUED)))
        self.assertEqual(len(set(jobs)), QUEUED)
        self.assertFalse(self.mark.exists())
        self.agent.start()
        ended = lambda: self.stack.metrics().get("holdfast_commands_ended_total", 0) >= QUEUED
        wait_for(ended, END_SECONDS, lambda: str(self.stack.metrics()), every=0.5)
        rows = self.stack.holdfast("jobs", "--limit", "1000").json()
        self.assertEqual({(r["ended"], r["succeeded"]) for r in rows if r["job"] in jobs}, {(1, 1)})
        self.assertEqual(sorted(map(int, self.mark.read_text().split())), list(range(QUEUED)))


if __name__ == "__main__":
    main()
