#!/usr/bin/env python3
"""A PostgreSQL as operators have it, over TCP with TLS and a password: who is not whom the URL names is refused in words, a
server that stands still holds nobody up for long, and nothing that was accepted is lost over it."""
import time

from harness.case import StackTest, main
from harness.load import Load
from harness.postgres import RemotePostgres
from harness.procs import wait_for
from harness.stack import free_ports, set_key

RECOVERY_SECONDS = 20
FROZEN_SECONDS = 12
STREAMS, PIECES, PIECE_BYTES = 6, 60, 200_000
ANSWER_SECONDS = 10  # kAnswerWait 5 s, a turn of two waits at most, and the way there and back


class RemotePostgresTest(StackTest):
    gateways = 2

    @classmethod
    def setUpClass(cls):
        (port,) = free_ports(1)
        cls.postgres = RemotePostgres(port).start()
        cls.addClassCleanup(cls.postgres.stop)
        cls.keys = (("store", "url", cls.postgres.remote_url()),)
        super().setUpClass()

    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    def check_config(self, url):
        config = self.stack.fleet / "server/holdfastd.toml"
        copy = config.with_name(f"copy-{time.monotonic_ns()}.toml")
        copy.write_text(set_key(config.read_text(), "store", "url", url))
        self.addCleanup(copy.unlink)
        return self.stack.run("holdfastd", "check-config", "--config", copy, expect=None)

    def works(self):
        self.assertEqual(self.stack.holdfast("query", self.agent.id, "SELECT 1 AS one").json()[0]["outcome"], "DONE")

    def test_the_record_is_reached_by_tls_and_password_and_no_process_shows_the_password(self):
        self.works()
        rows = self.postgres.say("SELECT ssl, version, client_addr FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                                 "WHERE application_name LIKE 'holdfast %'")
        self.assertRegex(rows, r"^t\|TLSv1\.[23]\|127\.")
        self.assertEqual(self.postgres.say("SELECT left(rolpassword, 13) FROM pg_authid WHERE rolname = 'holdfast'"),
                         "SCRAM-SHA-256")
        self.assertNotIn(self.postgres.password, self.stack.log.read_text(errors="replace"))

    def test_who_is_not_whom_the_url_names_is_refused_in_words(self):
        there = self.postgres
        self.assertEqual(self.check_config(there.remote_url()).status, 0)
        cases = {"another name": (there.remote_url(host="else.test"), "else.test"),
                 "another authority": (there.remote_url(ca=there.other_authority()), "certificate verify failed"),
                 "no authority": (there.remote_url(ca="/nonexistent"), "/nonexistent"),
                 "a wrong password": (there.remote_url(passfile=there.wrong_passfile()), "password authentication failed"),
                 "no password": (there.remote_url(passfile="/nonexistent"), "no password supplied"),
                 "no TLS": (there.remote_url().replace("verify-full", "disable"), "no pg_hba.conf entry")}
        for name, (url, words) in cases.items():
            with self.subTest(name):
                reply = self.check_config(url)
                self.assertEqual(reply.status, 2, reply)
                self.assertIn("store.url", reply.err)
                self.assertIn(words, reply.err)
                self.assertNotIn(there.password, reply.err)

    def test_a_frozen_server_holds_nobody_up_for_long_and_nothing_is_lost(self):
        (control,) = self.stack.processes("control")
        links = self.stack.metrics()["holdfast_links_opened_total"]
        with Load(self, self.agent, RECOVERY_SECONDS) as load:
            for _ in range(2):
                load.goes_on()
                time.sleep(3)
                refused = sum(load.refused.values())
                with self.postgres.frozen():
                    begun = time.monotonic()
                    reply = self.check_config(self.postgres.remote_url())
                    self.assertEqual(reply.status, 2, reply)
                    self.assertLess(time.monotonic() - begun, ANSWER_SECONDS)
                    time.sleep(max(0, begun + FROZEN_SECONDS - time.monotonic()))
                    self.assertGreater(sum(load.refused.values()), refused)
                print(f"went on after {load.goes_on()} s")
        self.assertLess(max(load.waits), ANSWER_SECONDS)
        self.assertTrue(any("UNAVAILABLE" in words for words in load.refused), load.refused)
        load.check()
        # Nobody thought that it hangs. It may have ended by itself: of a commit that took effect when the server went on.
        log = self.stack.log.read_text(errors="replace")
        self.assertNotIn("event=child_silent", log)
        self.assertLess(log.count("event=commit_failed"), 2 * FROZEN_SECONDS)
        if [p.pid for p in self.stack.processes("control")] != [control.pid]:
            self.assertIn("event=control_reloads", log)
        self.assertEqual(self.stack.metrics()["holdfast_links_opened_total"], links)  # nobody was cut

    def test_outputs_are_whole_when_the_server_freezes_in_their_middle(self):
        """A commit that nobody waited for takes effect when the server goes on: by then control has asked for the pieces again,
        and must not have cut back what the record names."""
        copies = [self.stack.dir / f"copy-{n}" for n in range(STREAMS)]
        jobs = [self.stack.holdfast("exec", self.agent.id, "--wait", "0", "--", "/bin/sh", "-c",
                                    f"for i in $(seq {PIECES}); do head -c {PIECE_BYTES} /dev/urandom | tee -a {copy}; sleep 0.2; done")
                .json()[0]["job"] for copy in copies]
        for _ in range(3):
            time.sleep(2)
            with self.postgres.frozen():
                time.sleep(9)
        log = lambda: self.stack.log.read_text(errors="replace")
        print(f"commits that took effect unseen: {log().count('event=control_reloads')}")
        for job, copy in zip(jobs, copies):
            wait_for(lambda job=job: self.has_ended(job), 90, self.stack.logs, every=0.5)
            delivery = self.stack.holdfast("job", job).json()["deliveries"][0]
            self.assertEqual(delivery["outcome"], "DONE", delivery)
            shown = self.stack.holdfast("results", job, output=None).out
            self.assertEqual(len(shown), PIECES * PIECE_BYTES)
            self.assertEqual(shown, copy.read_bytes())

    def has_ended(self, job):
        """Not while the store is away: then nobody knows."""
        reply = self.stack.holdfast("job", job, expect=None)
        return reply.status == 0 and reply.json()["deliveries"][0]["state"] == "ENDED"

    def test_sessions_that_are_cut_are_made_anew_with_tls_and_password(self):
        (control,) = self.stack.processes("control")
        for _ in range(5):
            self.postgres.say("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'holdfast %'")
            wait_for(lambda: self.stack.holdfast("exec", self.agent.id, "--", "true", expect=None).status == 0, 10, self.stack.logs)
        self.assertEqual([p.pid for p in self.stack.processes("control")], [control.pid])


if __name__ == "__main__":
    main()
