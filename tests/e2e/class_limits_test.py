#!/usr/bin/env python3
"""A policy with limits: what nobody names is signed from it, and what is above it is refused, by the tool and by the endpoint."""
import shutil
import sys

from harness.case import AgentTest, main

# Two processes of 60 MiB each.
HOGS = """
import os, time
os.fork()
kept = bytearray(60 << 20)
for at in range(0, len(kept), 4096):
    kept[at] = 1
time.sleep(20)
"""


class ClassLimitsTest(AgentTest):
    init_options = ("--limit", "act.memory=100MiB..200MiB", "--limit", "act.processes=10..20", "--limit", "read.rows=3..5")

    def test_what_nobody_names_is_signed_as_the_policy_has_it(self):
        self.fails("MEMORY_LIMIT", ["104857600"], "exec", "--", sys.executable, "-SE", "-c", HOGS)
        self.assertEqual(self.ask("exec", "--max-memory", "200MiB", "--", "true")["outcome"], "DONE")

    def test_what_is_above_it_is_not_even_signed(self):
        said = self.stack.holdfast("exec", "--max-memory", "201MiB", self.agent.id, "--", "true", expect=2)
        self.assertIn("class act allows memory up to 209715200, 210763776 is signed", said.err)
        said = self.stack.holdfast("query", "--max-rows", "6", self.agent.id, "SELECT 1", expect=2)
        self.assertIn("class read allows rows up to 5", said.err)

    def test_a_question_ends_at_the_rows_of_its_class(self):
        answer = self.stack.holdfast("query", self.agent.id, "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n FROM t", expect=1)
        self.assertIn("ROW_LIMIT", answer.text + answer.err)

    def test_a_tool_without_the_policy_is_refused_by_the_others(self):
        policy = self.stack.fleet / "server/policy.env"
        away = policy.with_suffix(".away")
        shutil.move(policy, away)
        try:
            said = self.stack.holdfast("exec", self.agent.id, "--", "true", expect=None)
        finally:
            shutil.move(away, policy)
        self.assertNotEqual(said.status, 0)
        self.assertIn("none is signed", said.err + said.text)

    def test_a_limit_that_means_nothing_makes_no_fleet(self):
        for wrong in ("act.memory=0", "act.weight=1", "acts.memory=1G", "act.memory=2G..1G"):
            said = self.stack.run("holdfast", "init", "--dir", self.stack.dir / "other", "--limit", wrong, expect=None)
            self.assertNotEqual(said.status, 0, wrong)
            self.assertIn(wrong, said.err)
        self.assertFalse((self.stack.dir / "other").exists())


if __name__ == "__main__":
    main()
