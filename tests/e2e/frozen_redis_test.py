#!/usr/bin/env python3
"""Redis stands still for longer than a silent gateway may: no link is dropped, the API answers, and
what was accepted meanwhile is done as soon as Redis goes on."""
import signal
import time

from harness.case import StackTest, main
from harness.procs import wait_for

FROZEN_SECONDS = 20    # above the 15 s after which a silent gateway counts as gone (docs/protocol.md 5)
ANSWER_SECONDS = 2     # beyond what the same command line takes while all is well
RECOVERY_SECONDS = 5


class FrozenRedisTest(StackTest):
    gateways = 2

    @classmethod
    def set_up_agents(cls):
        cls.agents = [cls.stack.add_agent(name) for name in ("a", "b")]

    def timed(self, *argv, **how):
        begin = time.monotonic()
        reply = self.stack.holdfast(*argv, **how)
        return reply.json(), time.monotonic() - begin

    def links(self):
        metrics = self.stack.metrics()
        return [metrics[f"holdfast_links{end}"] for end in ("", "_opened_total")]

    def test_no_link_is_dropped_and_the_api_answers_while_redis_stands_still(self):
        links = self.links()
        self.assertEqual(links[0], 2)
        usual = max(self.timed("agents")[1] for _ in range(3))
        (redis,) = self.stack.processes("redis")
        redis.kill(signal.SIGSTOP)
        self.addCleanup(redis.kill, signal.SIGCONT)
        begin = time.monotonic()
        jobs = []
        while time.monotonic() - begin < FROZEN_SECONDS:
            rows, seconds = self.timed("agents")
            self.assertLess(seconds, usual + ANSWER_SECONDS)
            self.assertEqual({row["online"] for row in rows}, {True})
            for agent in self.agents:
                answer, seconds = self.timed("exec", agent.id, "--wait", "0", "--", "true", expect=None)
                self.assertLess(seconds, usual + ANSWER_SECONDS)
                jobs.append(answer[0]["job"])
            time.sleep(2)
        redis.kill(signal.SIGCONT)
        thawed = time.monotonic()
        ended = lambda: not [row for row in self.stack.holdfast("jobs", "--open").json() if row["job"] in jobs]
        wait_for(ended, RECOVERY_SECONDS + usual, lambda: self.stack.logs(), every=0.2)
        print(f"{len(jobs)} jobs done {time.monotonic() - thawed:.1f} s after Redis went on; "
              f"a command line takes {usual:.1f} s")
        done = {row["job"]: row["succeeded"] for row in self.stack.holdfast("jobs", "--limit", "1000").json()}
        self.assertEqual({done[job] for job in jobs}, {1})
        self.assertEqual(self.links(), links)
        self.assertIn("no answer for", self.stack.log.read_text())


if __name__ == "__main__":
    main()
