#!/usr/bin/env python3
"""The record goes to PostgreSQL and back, whole: what was accepted before is there after, what waited goes on and runs
once; and a move that is refused, interrupted or killed leaves the record as it was and the other place empty."""
import hashlib
import os
import pathlib
import signal
import sqlite3
import subprocess
import time

from harness.case import StackTest, main
from harness.postgres import Postgres
from harness.procs import wait_for
from harness.stack import BIN, Agent, set_key

LARGE = 2 * 1024 * 1024 + 3
MANY = 40_000  # rows: seconds of work


class MoveCase(StackTest):
    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres().start()
        cls.addClassCleanup(cls.postgres.stop)
        super().setUpClass()

    @property
    def state(self):
        return self.stack.fleet / "server/state"

    def move(self, to, expect=0):
        return self.stack.run("holdfastd", "migrate-store", "--dir", self.stack.fleet, "--to", to, expect=expect)

    def begin(self, to):
        return subprocess.Popen([str(BIN / "holdfastd"), "migrate-store", "--dir", str(self.stack.fleet), "--to", to],
                                env=self.stack.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL)

    def synchronous_standby(self, name):
        self.postgres.say(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        self.postgres.say("SELECT pg_reload_conf()")

    def serve_from(self, url):
        config = self.stack.fleet / "server/holdfastd.toml"
        config.write_text(set_key(config.read_text(), "store", "url", url))

    def rows_there(self, url=None):
        """Of every table of a PostgreSQL; 0 where it is not there."""
        count = 0
        for table in ("agents", "commands", "deliveries", "outputs", "tokens", "audit"):
            if self.postgres.say(f"SELECT to_regclass('{table}') IS NOT NULL") == "t":
                count += int(self.postgres.say(f"SELECT count(*) FROM {table}"))
        return count

    def ledger_sum(self):
        with sqlite3.connect(self.state / "ledger.db") as db:
            text = "\n".join(db.iterdump())
        db.close()
        return hashlib.sha256(text.encode()).hexdigest()


class MoveTest(MoveCase):
    @classmethod
    def set_up_agents(cls):
        cls.here, cls.away = cls.stack.add_agent("here"), cls.stack.add_agent("away")
        cls.effects = cls.stack.dir / "effects"
        cls.effects.mkdir()

    def queue(self, name):
        """A command for the agent that is away; its job."""
        return self.stack.holdfast("exec", self.away.id, "--wait", "0", "--", "/bin/sh", "-c",
                                   f"echo ran >> {self.effects / name}").json()[0]["job"]

    def runs(self, name):
        file = self.effects / name
        return len(file.read_text().splitlines()) if file.exists() else 0

    def everything(self):
        """What analysts see of the record."""
        jobs = self.stack.holdfast("jobs", "--limit", "1000").json()
        agents = [{k: row[k] for k in ("id", "hostname", "labels")} for row in self.stack.holdfast("agents").json()]
        return {"jobs": jobs, "details": [self.stack.holdfast("job", row["job"]).json() for row in jobs],
                "audit": self.stack.holdfast("audit", output="jsonl").out, "agents": sorted(agents, key=lambda a: a["id"])}

    def check_same(self, before, after):
        self.assertEqual(before["details"], after["details"])
        self.assertEqual(before["agents"], after["agents"])
        self.assertEqual(before["jobs"], after["jobs"])
        self.assertTrue(after["audit"].startswith(before["audit"]))

    def go_on(self, url, queued, before):
        """Started on the other record: all is there, what waited runs once, an old token lets in, the chain holds."""
        self.serve_from(url)
        self.stack.start()
        self.stack.wait_online(self.here)
        self.check_same(before, self.everything())
        self.away.start()
        self.stack.wait_online(self.away)
        wait_for(lambda: self.runs(queued), 20, lambda: self.stack.logs())
        answer = self.stack.holdfast("query", self.here.id, "SELECT 2 AS two").json()[0]
        self.assertEqual(answer["outcome"], "DONE")
        self.assertIn("one unbroken chain", self.stack.holdfast("audit", "--verify", output=None).text)
        wait_for(lambda: not self.stack.holdfast("jobs", "--open").json(), 20, lambda: self.stack.logs())

    def stop_away(self):
        self.away.stop()
        self.stack.wait_online(self.away, online=False)

    def test_a_record_goes_to_postgresql_and_back_and_what_waited_goes_on(self):
        stack = self.stack
        source = stack.dir / "source"
        source.write_bytes(os.urandom(LARGE))
        self.stop_away()
        first = self.queue("first")
        for i in range(5):
            stack.holdfast("query", self.here.id, f"SELECT {i} AS n")
        large = stack.holdfast("get", self.here.id, source, "-d", stack.dir / "got").json()[0]["job"]
        stack.holdfast("exec", self.here.id, "--", "/bin/sh", "-c", "head -c 50000 /dev/zero; exit 3", expect=None)
        bundle = stack.bundle("--label", "from=before")
        before = self.everything()

        refused = self.move(self.postgres.url, expect=1)
        self.assertIn("stop it first", refused.err)
        self.assertEqual(self.rows_there(), 0)

        stack.stop_backend()
        old = self.ledger_sum()
        said = self.move(self.postgres.url).text
        self.assertIn("every row compared", said)
        self.assertIn("1 named, 2.1 MB", said)
        self.assertIn(f'url = "{self.postgres.url}"', said)
        self.assertEqual(self.ledger_sum(), old)
        again = self.move(self.postgres.url, expect=1)
        self.assertIn("there is a record already", again.err)

        self.go_on(self.postgres.url, "first", before)
        agent = stack.agents["late"] = Agent(stack, "late")
        agent.enrol(bundle)
        agent.start()
        stack.wait_online(agent)
        stack.holdfast("results", large, "-d", stack.dir / "again")
        (copy,) = [p for p in (stack.dir / "again").rglob("*") if p.is_file() and p.stat().st_size == LARGE]
        self.assertEqual(copy.read_bytes(), source.read_bytes())

        # And back. The old ledger is in the way: nobody writes over a record.
        self.stop_away()
        self.queue("second")
        before = self.everything()
        stack.stop_backend()
        there = self.rows_there()
        self.assertIn("is there already", self.move("file", expect=1).err)
        self.assertEqual(self.ledger_sum(), old)
        for path in self.state.glob("ledger.db*"):
            path.rename(path.with_name("old-" + path.name))
        self.move("file")
        self.assertEqual(self.rows_there(), there)
        self.assertEqual([p.name for p in self.state.glob("ledger*")], ["ledger.db"])
        self.go_on("", "second", before)
        self.assertEqual((self.runs("first"), self.runs("second")), (1, 1))
        self.assertEqual(stack.holdfast("job", first).json()["deliveries"][0]["outcome"], "DONE")


class RefusalTest(MoveCase):
    """One ledger with many rows, and no backend."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stack.stop_backend()
        with sqlite3.connect(cls.stack.fleet / "server/state/ledger.db") as db:
            (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM audit").fetchone()
            db.executemany("INSERT INTO audit VALUES (?,?,?,?,?,?,?,?,?)",
                           ((last + 1 + i, i, b"a", b"b", b"", b"", os.urandom(200), b"p" * 32, b"h" * 32)
                            for i in range(MANY)))
        db.close()

    def test_an_interrupted_or_killed_move_leaves_the_record_and_nothing_at_the_other_place(self):
        old = self.ledger_sum()
        for sig, status in ((signal.SIGINT, 1), (signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 1)):
            moving = self.begin(self.postgres.url)
            wait_for(lambda: self.postgres.say("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE "
                                               "'%migrate%' AND query LIKE 'INSERT INTO audit%'") != "0", 30, "no row yet",
                     every=0.02)
            moving.send_signal(sig)
            out, err = moving.communicate(timeout=30)
            self.assertEqual(moving.returncode, status, (out, err))
            self.assertEqual(out, b"")
            if status == 1:
                self.assertIn(b"interrupted: nothing was changed", err)
            wait_for(lambda: self.rows_there() == 0, 10, "rows")
            self.assertEqual(self.ledger_sum(), old)

        # A commit that is on its way is waited for: whoever gave it up would not know what he has.
        moving = self.begin(self.postgres.url)
        wait_for(lambda: self.postgres.say("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%migrate%' AND "
                                           "query LIKE 'INSERT INTO audit%'") != "0", 30, "no row yet", every=0.02)
        self.synchronous_standby("slow")
        wait_for(lambda: self.postgres.say("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%migrate%' AND "
                                           "wait_event = 'SyncRep'") != "0", 60, "no commit yet")
        moving.send_signal(signal.SIGINT)
        time.sleep(0.5)
        self.assertIsNone(moving.poll())
        self.synchronous_standby("")
        out, err = moving.communicate(timeout=60)
        self.assertEqual(moving.returncode, 0, (out, err))
        self.assertIn(b"every row compared", out)
        self.postgres.say("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

        begun = time.monotonic()
        self.move(self.postgres.url)
        print(f"{MANY} rows copied and compared, to PostgreSQL: {time.monotonic() - begun:.1f} s")
        self.serve_from(self.postgres.url)
        self.addCleanup(self.serve_from, "")
        kept = self.state / "ledger.db"
        kept.rename(self.state / "kept")
        there = self.rows_there()
        # What a killed holdfastd left beside its ledger is not the new one's.
        log = self.state / "ledger.db-wal"
        log.write_bytes(b"of the old one")
        self.assertIn("of an older ledger", self.move("file", expect=1).err)
        log.unlink()
        for sig in (signal.SIGINT, signal.SIGKILL):
            moving = self.begin("file")
            wait_for(lambda: (self.state / "ledger.db.moving").exists() and
                     sum(p.stat().st_size for p in self.state.glob("ledger.db.moving*")) > 1_000_000, 30, "no row yet", every=0.01)
            moving.send_signal(sig)
            moving.communicate(timeout=30)
            self.assertNotEqual(moving.returncode, 0)
            self.assertFalse(kept.exists())
            self.assertEqual(self.rows_there(), there)
        begun = time.monotonic()
        self.move("file")
        print(f"{MANY} rows copied and compared, back: {time.monotonic() - begun:.1f} s")
        self.assertEqual(list(self.state.glob("*moving*")), [])
        self.assertEqual(self.ledger_sum(), old)

        # A control on the other side is in the way, and so is a schema that only a newer program knows.
        kept.unlink()
        self.postgres.say("UPDATE holdfast_schema SET version = 99")
        self.assertIn("newer holdfastd", self.move("file", expect=1).err)
        self.postgres.say("UPDATE holdfast_schema SET version = 1")
        with subprocess.Popen([self.postgres.bin / "psql", "-XAtq", self.postgres.url], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as control:
            control.stdin.write(b"SELECT pg_advisory_lock(1752132708, hashtext('public'));\n")
            control.stdin.flush()
            control.stdout.readline()
            self.assertIn("another control has this record open", self.move("file", expect=1).err)
            control.stdin.close()
        self.assertEqual(list(self.state.glob("ledger*")), [])
        (self.state / "kept").rename(kept)
        self.serve_from("")
        with sqlite3.connect(kept) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        self.postgres.say("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        self.assertIn("newer holdfastd", self.move(self.postgres.url, expect=1).err)
        self.assertEqual(self.rows_there(), 0)

    def test_a_password_in_the_target_or_a_wrong_word_is_refused(self):
        for to, words in (("postgresql://a:secret@h/d", "passfile"), ("mysql://h/d", "postgresql://"), ("files", "`file`")):
            reply = self.move(to, expect=1)
            self.assertIn(words, reply.err)
            self.assertNotIn("secret", reply.err)


if __name__ == "__main__":
    main()
