#!/usr/bin/env python3
"""The record in PostgreSQL, and PostgreSQL crashing and restarted under load: nothing that was accepted is lost, nothing done twice,
the API says UNAVAILABLE meanwhile, and all goes on by itself."""
import os
import signal
import subprocess
import time

from harness.case import StackTest, main
from harness.load import Load
from harness.postgres import Postgres
from harness.procs import wait_for
from harness.stack import BIN, Stack, set_key

RECOVERY_SECONDS = 20
DOWN_SECONDS = 1.5
STUCK_SECONDS = 12  # twice what a lock that another one has is asked for


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

    def test_a_session_that_hangs_in_the_server_is_no_other_holdfastd(self):
        """As on a disk that stands still, and with control killed meanwhile: links stay, and all goes on when it moves again."""
        asked = lambda: self.stack.holdfast("query", self.agent.id, "SELECT 1 AS one", expect=None, timeout=60).status == 0
        gateways = [p.pid for p in self.stack.processes("gateway")]
        stuck = int(self.postgres.say("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'holdfast %'"))
        os.kill(stuck, signal.SIGSTOP)
        try:
            self.assertFalse(asked())
            time.sleep(STUCK_SECONDS)
            self.stack.processes("control")[0].kill()
            time.sleep(STUCK_SECONDS)
            self.assertIsNone(self.stack.backend.poll())
        finally:
            os.kill(stuck, signal.SIGCONT)
        began = time.monotonic()
        wait_for(asked, RECOVERY_SECONDS, self.stack.logs)
        print(f"answered {time.monotonic() - began:.1f} s after it moved again")
        self.assertEqual([p.pid for p in self.stack.processes("gateway")], gateways)
        self.assertNotIn("event=record_taken", self.stack.log.read_text())
        self.assertIn("has not ended yet in PostgreSQL", self.stack.log.read_text())

    def test_backup_points_to_pg_dump(self):
        reply = self.holdfastd("backup", "--dir", self.stack.fleet, self.stack.dir / "no.tar")
        self.assertEqual(reply.status, 1)
        self.assertIn("pg_dump", reply.err)

    def test_nothing_is_lost_or_doubled_when_the_server_crashes_under_load(self):
        recoveries = []
        with Load(self, self.agent, RECOVERY_SECONDS) as load:
            for sig in (signal.SIGQUIT, signal.SIGKILL, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                time.sleep(3)
                self.postgres.end(sig)
                time.sleep(DOWN_SECONDS)
                self.postgres.start()
                recoveries.append(load.goes_on())
        print(f"went on after {recoveries} s")
        ran = load.check()
        self.assertTrue(load.refused)
        self.assertEqual(ran, int(self.postgres.say("SELECT count(*) FROM commands WHERE verb = 'exec'")))


if __name__ == "__main__":
    main()
