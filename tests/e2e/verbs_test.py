#!/usr/bin/env python3
"""Every verb, as an analyst types it: what it answers, how it fails, and its exit status."""
import hashlib
import os
import pathlib
import subprocess

from harness.case import AgentTest, main
from harness.procs import wait_for
from harness.stack import set_key


class VerbsTest(AgentTest):
    @classmethod
    def set_up_agents(cls):
        super().set_up_agents()
        cls.files = cls.stack.dir / "files"
        cls.files.mkdir()
        cls.note = cls.files / "note.txt"
        cls.note.write_bytes(b"first line\nsecond line\n")
        (cls.files / "sub").mkdir()
        (cls.files / ".hidden").write_bytes(b"")

    def rows(self, verb, *argv):
        answer = self.ask(verb, *argv)
        self.assertEqual(answer["outcome"], "DONE")
        return answer["rows"]

    # --- query -----------------------------------------------------------------------------------
    def test_query_finds_the_agent_among_the_processes(self):
        rows = self.rows("query", f"SELECT pid, name, cmdline FROM processes "
                                  f"WHERE pid = {self.agent.process.pid}")
        self.assertEqual(len(rows), 1)
        self.assertEqual(rows[0]["name"], "holdfast-agent")

    def test_query_finds_the_backend_among_the_listening_ports(self):
        rows = self.rows("query", "SELECT p.name, l.address FROM listening_ports l "
                                  "JOIN processes p USING (pid) "
                                  f"WHERE l.port = {self.stack.agent_port}")
        self.assertEqual([r["name"] for r in rows], ["holdfastd"])

    def test_query_sees_the_link_among_the_open_sockets(self):
        rows = self.rows("query", "SELECT pid, remote_port FROM process_open_sockets "
                                  f"WHERE remote_port = {self.stack.agent_port}")
        link = self.agent.children("link")[0]
        self.assertIn(link.pid, [int(r["pid"]) for r in rows])

    def test_query_answers_from_every_other_table(self):
        digest = hashlib.sha256(self.note.read_bytes()).hexdigest()
        self.assertEqual(
            self.rows("query", f"SELECT sha256 FROM hash WHERE path = '{self.note}'"),
            [{"sha256": digest}])
        file = self.rows("query", f"SELECT filename, size FROM file WHERE path = '{self.note}'")
        self.assertEqual([(r["filename"], int(r["size"])) for r in file],
                         [("note.txt", self.note.stat().st_size)])
        self.assertTrue(self.rows("query", "SELECT name FROM os_version")[0]["name"])
        self.assertTrue(self.rows("query", "SELECT hostname FROM system_info")[0]["hostname"])
        self.assertGreater(
            int(self.rows("query", "SELECT total_seconds FROM uptime")[0]["total_seconds"]), 0)
        users = self.rows("query", "SELECT username FROM users WHERE uid = 0")
        self.assertEqual(users, [{"username": "root"}])

    def test_a_query_that_cannot_be_right_names_the_mistake_and_its_place(self):
        self.fails("SQL", ["no_such_table"], "query", "SELECT * FROM no_such_table")
        self.fails("SQL", ["processes"], "query", "SELECT pid FORM processes")
        self.fails("SQL", ["no_such_column"], "query", "SELECT no_such_column FROM processes")

    def test_a_query_cannot_write(self):
        self.fails("SQL", [], "query", f"ATTACH DATABASE '{self.files}/x.db' AS x")
        self.assertFalse((self.files / "x.db").exists())

    def test_a_query_without_rows_succeeds(self):
        self.assertEqual(self.rows("query", "SELECT pid FROM processes WHERE pid = -1"), [])

    def test_tables_csv_and_jsonl_show_the_same_row(self):
        sql = "SELECT 7 AS seven, 'a,b' AS words"
        ask = lambda form: self.stack.holdfast("query", self.agent.id, sql, output=form).text
        self.assertIn("seven", ask("table"))
        self.assertIn("a,b", ask("table"))
        self.assertIn('"a,b"', ask("csv"))
        self.assertIn('"seven":7', ask("jsonl").replace(" ", ""))

    # --- files -----------------------------------------------------------------------------------
    def test_ls_lists_a_directory(self):
        names = lambda *more: {os.path.basename(r.get("path") or r.get("name"))
                               for r in self.rows("ls", self.files, *more)}
        self.assertLessEqual({"note.txt", "sub"}, names())
        self.assertNotIn(".hidden", names())
        self.assertIn(".hidden", names("--all"))

    def test_stat_tells_size_and_mode(self):
        row = self.rows("stat", self.note)[0]
        self.assertEqual(int(row["size"]), self.note.stat().st_size)

    def test_hash_agrees_with_sha256sum(self):
        row = self.rows("hash", self.note)[0]
        said = subprocess.check_output(["sha256sum", self.note]).split()[0].decode()
        self.assertEqual(row["sha256"], said)

    def test_cat_prints_the_bytes_and_nothing_else(self):
        reply = self.stack.holdfast("cat", self.agent.id, self.note, output=None)
        self.assertEqual(reply.out, self.note.read_bytes())

    def test_what_does_not_exist_or_is_not_a_file_fails_with_path_and_reason(self):
        missing = self.files / "missing"
        for verb in ("ls", "stat", "cat", "hash", "get"):
            with self.subTest(verb=verb):
                self.fails("NO_SUCH_FILE", [str(missing), "No such file"], verb, missing)
        for verb in ("cat", "get"):
            with self.subTest(verb=verb):
                self.fails("NOT_A_FILE", [str(self.files)], verb, self.files)

    def test_get_brings_a_file_byte_for_byte(self):
        source = self.stack.dir / "blob"
        source.write_bytes(os.urandom(3_000_001))
        into = self.stack.dir / "into"
        into.mkdir()
        answer = self.ask("get", source, "-d", into)
        local = pathlib.Path(answer["path"])
        self.assertTrue(local.is_relative_to(into), local)
        self.assertEqual(local.read_bytes(), source.read_bytes())
        self.assertEqual(answer["sha256"], hashlib.sha256(source.read_bytes()).hexdigest())

    def test_get_brings_an_empty_file(self):
        into = self.stack.dir / "into-empty"
        answer = self.ask("get", self.files / ".hidden", "-d", into)
        self.assertEqual(pathlib.Path(answer["path"]).read_bytes(), b"")

    def test_get_that_has_no_place_to_write_asks_nobody(self):
        before = len(self.stack.holdfast("jobs").json())
        reply = self.stack.holdfast("get", self.agent.id, self.note, "-d", self.note / "below",
                                    expect=None)
        self.assertNotEqual(reply.status, 0)
        self.assertIn("Not a directory", reply.err)
        self.assertEqual(len(self.stack.holdfast("jobs").json()), before)

    def test_a_job_that_is_not_there_is_named_with_the_way_to_the_others(self):
        reply = self.stack.holdfast("job", "0123456789", expect=2)
        self.assertIn("no job '0123456789'", reply.err)
        self.assertIn("holdfast jobs", reply.err)

    def test_put_writes_a_file_and_will_not_overwrite_unasked(self):
        source = self.stack.dir / "tool"
        source.write_bytes(os.urandom(700_001))
        target = self.files / "put-here"
        self.stack.holdfast("put", self.agent.id, source, target)
        self.assertEqual(target.read_bytes(), source.read_bytes())
        source.write_bytes(b"other")
        self.stack.holdfast("put", self.agent.id, source, target, expect=1)
        self.assertNotEqual(target.read_bytes(), b"other")
        self.stack.holdfast("put", self.agent.id, source, self.files / "no/such/place", expect=1)

    # --- processes -------------------------------------------------------------------------------
    def test_exec_runs_a_program_and_keeps_its_two_streams_apart(self):
        answer = self.ask("exec", "--", "sh", "-c", "echo out; echo err >&2")
        self.assertEqual((answer["stdout"], answer["stderr"], answer["exit_code"]),
                         ("out\n", "err\n", 0))

    def test_exec_passes_arguments_untouched(self):
        answer = self.ask("exec", "--", "printf", "%s|", "a b", "$HOME", "*", "--", "'")
        self.assertEqual(answer["stdout"], "a b|$HOME|*|--|'|")

    def test_exec_reports_status_signal_and_what_cannot_be_run(self):
        self.assertEqual(self.fails("EXIT_STATUS", [], "exec", "--", "sh", "-c", "exit 7")
                         ["exit_code"], 7)
        self.fails("KILLED", [], "exec", "--", "sh", "-c", "kill -9 $$")
        self.fails("CANNOT_EXECUTE", ["/no/such/program"], "exec", "--", "/no/such/program")

    def test_ps_shows_and_kill_ends_a_process(self):
        victim = subprocess.Popen(["sleep", "54321"])
        self.addCleanup(victim.kill)
        pids = [int(r["pid"]) for r in self.rows("ps")]
        self.assertIn(victim.pid, pids)
        self.ask("kill", victim.pid)
        wait_for(lambda: victim.poll() is not None, 5, "the process still runs")
        self.fails("NO_SUCH_PROCESS", [str(victim.pid)], "kill", victim.pid)

    # --- the command line itself -----------------------------------------------------------------
    def test_a_mistake_in_usage_is_status_2(self):
        self.stack.holdfast("no-such-verb", expect=2)
        self.stack.holdfast("query", expect=2)
        self.stack.holdfast("exec", self.agent.id, expect=2)

    def test_an_absent_backend_is_status_3(self):
        fleet = self.stack.dir / "elsewhere"
        self.stack.run("holdfast", "init", "--dir", fleet, "--server", "wss://127.0.0.1:1")
        profile = fleet / "fleet.toml"
        profile.write_text(set_key(profile.read_text(), "", "api", "wss://127.0.0.1:1"))
        self.stack.run("holdfast", "--dir", fleet, "agents", expect=3)

    def test_an_operator_of_another_fleet_is_refused_with_status_4(self):
        fleet = self.stack.dir / "foreign"
        self.stack.run("holdfast", "init", "--dir", fleet, "--server",
                       f"wss://127.0.0.1:{self.stack.agent_port}")
        profile = fleet / "fleet.toml"
        profile.write_text(set_key(profile.read_text(), "", "api",
                                   f"wss://127.0.0.1:{self.stack.api_port}"))
        (fleet / "server/tls/ca.crt").write_bytes(
            (self.stack.fleet / "server/tls/ca.crt").read_bytes())
        self.stack.run("holdfast", "--dir", fleet, "agents", expect=4)


if __name__ == "__main__":
    main()
