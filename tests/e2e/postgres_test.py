#!/usr/bin/env python3
"""The record in PostgreSQL, and PostgreSQL crashing under load: nothing that was accepted is lost, nothing done twice,
the API says UNAVAILABLE meanwhile, and all goes on by itself."""
import collections
import json
import os
import signal
import subprocess
import threading
import time

from harness.case import StackTest, main
from harness.postgres import Postgres
from harness.procs import wait_for
from harness.stack import BIN, Stack, set_key

RECOVERY_SECONDS = 20
DOWN_SECONDS = 1.5
LANES = 3


class PostgresTest(StackTest):
    gateways = 2

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres().start()
        cls.addClassCleanup(cls.postgres.stop)
        cls.keys = (("store", "url", cls.postgres.url),)
        super().setUpClass()

    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    def holdfastd(self, *argv):
        return self.stack.run("holdfastd", *argv, expect=None)

    def check_config(self, url):
        config = self.stack.fleet / "server/holdfastd.toml"
        copy = config.with_name(f"copy-{time.monotonic_ns()}.toml")
        copy.write_text(set_key(config.read_text(), "store", "url", url))
        self.addCleanup(copy.unlink)
        return self.holdfastd("check-config", "--config", copy)

    def test_commands_go_through_it_and_no_ledger_is_made(self):
        answer = self.stack.holdfast("query", self.agent.id, "SELECT 1 AS one").json()[0]
        self.assertEqual(answer["outcome"], "DONE")
        self.assertFalse((self.stack.fleet / "server/state/ledger.db").exists())
        self.assertGreater(int(self.postgres.say("SELECT count(*) FROM commands")), 0)

    def test_check_config_says_what_is_wrong(self):
        self.assertEqual(self.check_config(self.postgres.url).status, 0)
        for url, words in (("postgresql://holdfast@/postgres?host=/nonexistent", "/nonexistent"),
                           (self.postgres.url.replace("holdfast@", "nobody_here@"), "nobody_here"),
                           ("postgresql://a:secret@h/d", "passfile"), ("mysql://h/d", "postgresql://")):
            reply = self.check_config(url)
            self.assertEqual(reply.status, 2, reply)
            self.assertIn("store.url", reply.err)
            self.assertIn(words, reply.err)
            self.assertNotIn("secret", reply.err)

    def test_a_second_holdfastd_on_the_same_record_is_refused(self):
        other = Stack(keys=self.keys)
        self.addCleanup(other.stop)
        other.init()
        done = subprocess.run([BIN / "holdfastd", "--dir", other.fleet], env=other.env(), capture_output=True,
                              timeout=30, stdin=subprocess.DEVNULL, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"another holdfastd has this record open", done.stderr)
        self.test_commands_go_through_it_and_no_ledger_is_made()

    def test_a_killed_control_is_replaced_and_gets_the_lock(self):
        (old,) = self.stack.processes("control")
        old.kill()
        wait_for(lambda: [p for p in self.stack.processes("control") if p.pid != old.pid], RECOVERY_SECONDS, "no new one")
        self.stack.wait_online(self.agent)
        self.test_commands_go_through_it_and_no_ledger_is_made()

    def test_backup_points_to_pg_dump(self):
        reply = self.holdfastd("backup", "--dir", self.stack.fleet, self.stack.dir / "no.tar")
        self.assertEqual(reply.status, 1)
        self.assertIn("pg_dump", reply.err)

    def test_nothing_is_lost_or_doubled_when_the_server_crashes_under_load(self):
        marks = self.stack.dir / "marks"
        marks.mkdir()
        accepted, refused, stop = [], collections.Counter(), threading.Event()

        def lane(number):
            for i in range(100000):
                if stop.is_set():
                    return
                mark = marks / f"{number}-{i}"
                reply = self.stack.holdfast("exec", self.agent.id, "--wait", "0", "--", "/bin/sh", "-c",
                                            f"echo x >> {mark}", expect=None, timeout=60)
                if reply.status == 0:
                    accepted.append((json.loads(reply.out)[0]["job"], mark))
                else:
                    refused[reply.err.strip()[-160:]] += 1

        lanes = [threading.Thread(target=lane, args=(n,)) for n in range(LANES)]
        for thread in lanes:
            thread.start()
        recoveries = []
        try:
            for sig in (signal.SIGQUIT, signal.SIGKILL, signal.SIGQUIT, signal.SIGKILL):
                time.sleep(3)
                self.postgres.end(sig)
                time.sleep(DOWN_SECONDS)
                self.postgres.start()
                back, before = time.monotonic(), len(accepted)
                wait_for(lambda: len(accepted) > before + LANES, RECOVERY_SECONDS, lambda: self.stack.logs(), every=0.05)
                recoveries.append(round(time.monotonic() - back, 1))
        finally:
            stop.set()
            for thread in lanes:
                thread.join()
        open_jobs = lambda: {row["job"] for row in self.stack.holdfast("jobs", "--open").json()}
        wait_for(lambda: not open_jobs(), RECOVERY_SECONDS, lambda: self.stack.logs(), every=0.3)
        print(f"{len(accepted)} accepted, {sum(refused.values())} refused, went on after {recoveries} s: {dict(refused)}")
        self.assertTrue(accepted)
        self.assertTrue(refused)
        self.assertTrue(all("UNAVAILABLE" in words or "may or may not have been" in words for words in refused), refused)
        times = collections.Counter(len(mark.read_text()) // 2 if mark.exists() else 0 for _, mark in accepted)
        self.assertEqual(set(times), {1}, times)
        # What was refused may have been recorded (its answer was lost), but never twice.
        self.assertFalse([m for m in marks.iterdir() if len(m.read_text()) != 2])
        done = {row["job"]: row["succeeded"] for row in self.stack.holdfast("jobs", "--limit", "1000").json()}
        shown = [done[job] for job, _ in accepted if job in done]
        self.assertEqual(set(shown), {1})
        ours = int(self.postgres.say("SELECT count(*) FROM commands WHERE verb = 'exec'"))
        self.assertGreaterEqual(ours, len(accepted))
        self.assertEqual(len(os.listdir(marks)), ours)


if __name__ == "__main__":
    main()
