#!/usr/bin/env python3
"""The command line at its edges: lost answers, ended certificates, Ctrl-C, results later, a tampered audit."""
import os
import re
import shutil
import signal
import sqlite3
import threading
import time

from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import Agent

# After the start of the command line: while it connects, submits, waits for the answer.
KILL_AFTER_SECONDS = (0.02, 0.05, 0.08, 0.12)


class CliTest(StackTest):
    killed = 0

    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    def test_a_command_whose_answer_is_lost_is_sent_again_and_runs_once(self):
        mark = self.stack.dir / "ran"
        for number, delay in enumerate(KILL_AFTER_SECONDS):
            kill = threading.Timer(delay, self.kill_control)
            kill.start()
            self.stack.holdfast("exec", self.agent.id, "--", "sh", "-c", f"echo {number} >> {mark}")
            kill.join()
        self.assertEqual(mark.read_text().split(), [str(n) for n in range(len(KILL_AFTER_SECONDS))])
        self.assertEqual(self.killed, len(KILL_AFTER_SECONDS))
        self.assertEqual(self.stack.holdfast("pending").json(), [])

    def kill_control(self):
        # The one before may just be starting again.
        for control in wait_for(lambda: self.stack.processes("control"), 10, "no control to kill"):
            control.kill(signal.SIGKILL)
            self.killed += 1

    def test_who_reads_no_further_is_not_waited_for(self):
        begun = self.stack.holdfast_begin("exec", self.agent.id, "--max-time", "60s", "--", "sh", "-c",
                                          "while :; do date; sleep 0.1; done", output=None)
        self.addCleanup(begun.kill)
        begun.stdout.readline()
        begun.stdout.close()
        said = begun.stderr.read().decode()
        self.assertNotEqual(begun.wait(timeout=20), 0)
        begun.stderr.close()
        self.assertIn("goes on", said)  # it does, at the endpoint

    def test_get_takes_the_place_of_no_link_device_or_pipe(self):
        pipe, link = self.stack.dir / "pipe", self.stack.dir / "link"
        os.mkfifo(pipe)
        link.symlink_to("/dev/null")
        for name in (pipe, link, self.stack.dir):
            said = self.stack.holdfast("get", self.agent.id, "/etc/hostname", "--as", name, expect=1)
            self.assertIn("no regular file", said.err)
        self.assertTrue(link.is_symlink() and pipe.is_fifo())

    def test_restart_and_shutdown_are_not_sent_where_nobody_can_be_asked(self):
        before = len(self.stack.holdfast("jobs").json())
        for verb in ("restart", "shutdown"):
            said = self.stack.holdfast(verb, self.agent.id, expect=4)
            self.assertIn("--yes", said.err)
        self.assertEqual(len(self.stack.holdfast("jobs").json()), before)

    def analysts_machine(self, name):
        """A copy of what an analyst needs, without the issuer and all that belongs to the server."""
        copy = self.stack.dir / name
        (copy / "server/tls").mkdir(parents=True)
        shutil.copy(self.stack.fleet / "fleet.toml", copy)
        shutil.copy(self.stack.fleet / "server/tls/ca.crt", copy / "server/tls")
        shutil.copytree(self.stack.fleet / "operator", copy / "operator")
        return copy

    def test_an_analysts_machine_needs_neither_issuer_nor_server_files(self):
        copy = self.analysts_machine("analyst")
        said = self.stack.run("holdfast", "--dir", copy, "-o", "json", "query", self.agent.id,
                              "SELECT 1 AS one")
        self.assertEqual(said.json()[0]["rows"], [{"one": 1}])

    def test_an_analysts_machine_makes_bundles_once_it_has_the_policy(self):
        copy = self.analysts_machine("enrolling")
        said = self.stack.run("holdfast", "--dir", copy, "enrol", "token", expect=2)
        self.assertEqual(said.out, b"")
        self.assertIn(str(copy / "server/policy.env"), said.err)
        shutil.copy(self.stack.fleet / "server/policy.env", copy / "server")
        bundle = self.stack.dir / "analysts.bundle"
        bundle.write_bytes(self.stack.run("holdfast", "--dir", copy, "enrol", "token").out)
        Agent(self.stack, "by-analyst").enrol(bundle)

    def test_an_ended_certificate_is_renewed_with_the_issuer_and_refused_without(self):
        self.stack.holdfast("operator", "add", "short", "--cert-ttl", "1s", output=None)
        copy = self.analysts_machine("without-issuer")
        time.sleep(1.1)  # the certificate's whole life
        said = self.stack.run("holdfast", "--dir", copy, "--operator", "short", "agents", expect=4)
        self.assertIn("operator renew short", said.err)
        said = self.stack.holdfast("--operator", "short", "agents")
        self.assertRegex(said.err, r"renewed the certificate of operator 'short', until 2\d\d\d-")
        self.assertNotIn("renewed", self.stack.holdfast("--operator", "short", "agents").err)

    def test_a_server_with_another_ca_is_refused_before_anything_is_sent(self):
        copy = self.analysts_machine("other-ca")
        other = self.stack.dir / "other"
        self.stack.run("holdfast", "init", "--dir", other)
        shutil.copy(other / "server/tls/ca.crt", copy / "server/tls/ca.crt")
        said = self.stack.run("holdfast", "--dir", copy, "agents", expect=4)
        self.assertIn("certificate", said.err)

    def test_ctrl_c_leaves_the_job_running_and_says_how_to_follow_or_end_it(self):
        waiting = self.stack.holdfast_begin("exec", self.agent.id, "--", "sleep", "98765")
        self.addCleanup(waiting.kill)
        started = lambda: [j for j in self.stack.holdfast("jobs", "--open").json()
                           if "98765" in j["detail"]]
        job = wait_for(started, 20, "the job did not begin")[0]["job"]
        waiting.send_signal(signal.SIGINT)
        _, err = waiting.communicate(timeout=10)
        self.assertEqual(waiting.returncode, 130, err)
        self.assertIn(f"holdfast results {job[:12]}", err.decode())
        self.assertIn(f"holdfast cancel {job[:12]}", err.decode())
        self.assertTrue(started())
        self.stack.holdfast("cancel", job[:12])
        later = self.stack.holdfast("results", job, expect=1).json()[0]
        self.assertEqual((later["outcome"], later["failure"]), ("CANCELLED", "CANCELLED"))

    def test_a_job_is_named_by_every_digit_that_was_typed(self):
        job = self.stack.holdfast("query", self.agent.id, "SELECT 1 AS one", "--wait", "0",
                                  output="table").text.strip()
        self.assertEqual(self.stack.holdfast("job", job[:13].upper()).json()["job"], job)
        other = job[:12] + ("0" if job[12] != "0" else "1")
        for verb in ("job", "results", "cancel"):
            said = self.stack.holdfast(verb, other, expect=None)
            self.assertNotEqual(said.status, 0, said)
            self.assertIn(f"there is no job '{other}'", said.err)

    def test_answers_can_be_had_later(self):
        job = self.stack.holdfast("query", self.agent.id, "SELECT 42 AS answer", "--wait", "0",
                                  output="table").text.strip()
        self.assertRegex(job, r"^[0-9a-f]{64}$")
        self.assertEqual(self.stack.holdfast("results", job).json()[0]["rows"], [{"answer": 42}])
        source = self.stack.dir / "evidence"
        source.write_bytes(os.urandom(100_000))
        job = self.stack.holdfast("get", self.agent.id, source, "--wait", "0").json()[0]["job"]
        answer = self.stack.holdfast("results", job, "-d", self.stack.dir / "later").json()[0]
        with open(answer["path"], "rb") as file:
            self.assertEqual(file.read(), source.read_bytes())

    def test_a_reader_that_goes_away_is_no_crash(self):
        for number in (1, 2):
            asked = self.stack.holdfast_begin("query", self.agent.id, "SELECT * FROM processes",
                                              output="csv")
            asked.stdout.close()
            with asked.stderr:
                asked.stderr.read()
            self.assertEqual(asked.wait(20), 1, f"try {number}")

    def test_every_step_of_a_job_has_its_time(self):
        job = self.stack.holdfast("query", self.agent.id, "SELECT 1").json()[0]["job"]
        delivery = self.stack.holdfast("job", job).json()["deliveries"][0]
        times = [delivery[step] for step in ("accepted", "sent", "received", "started", "ended")]
        self.assertEqual(times, sorted(times))
        self.assertIsNone(delivery["problem"])
        shown = self.stack.holdfast("job", job[:8], output="table").text
        for word in ("accepted", "sent", "received", "started", "ended", "DONE"):
            self.assertIn(word, shown)

    def test_case_and_reason_are_in_the_audit_and_among_the_jobs(self):
        self.stack.holdfast("exec", self.agent.id, "--case", "C-12", "--reason", 'said "why"', "--", "true")
        wanted = 'exec "true" case="C-12" reason="said \\"why\\""'
        self.assertIn(wanted, [job["detail"] for job in self.stack.holdfast("jobs").json()])
        self.assertTrue(any(wanted in row["detail"] for row in self.stack.holdfast("audit").json()))

    def test_a_changed_audit_record_is_found(self):
        said = self.stack.holdfast("audit", "--verify", output="table").text
        count = int(re.match(r"(\d+) records, one unbroken chain\n", said).group(1))
        self.assertGreater(count, 2)
        self.stack.stop_backend()
        ledger = sqlite3.connect(self.stack.fleet / "server/state/ledger.db")
        with ledger:
            changed = ledger.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 2").rowcount
        ledger.close()
        self.assertEqual(changed, 1)
        self.stack.start()
        said = self.stack.holdfast("audit", "--verify", expect=1)
        self.assertIn("audit record 2 was changed", said.err)


if __name__ == "__main__":
    main()
