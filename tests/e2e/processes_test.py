#!/usr/bin/env python3
"""What a command starts on the endpoint ends with it: programs in the background, in sessions of their
own, adopted by nobody. After a cancel, at a limit, and when warden or its helpers are killed. And what the
agent says of itself: status, a second agent on the same state, an orderly stop.
"""
import json
import os
import signal
import subprocess
import time

from harness import procs
from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import BIN

GONE_SECONDS = 5


class ProcessesTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")
        cls.turn = 0

    def setUp(self):
        if not self.agent.running():
            self.agent.start()
        self.stack.wait_online(self.agent)
        # A number of seconds that is nobody else's finds our sleepers again, whoever their parent is.
        ProcessesTest.turn += 1
        self.seconds = str(700_000 + 1000 * self.turn + time.monotonic_ns() % 1000)

    def sleepers(self):
        return [p for p in procs.all_processes() if p.argv == ["sleep", self.seconds] and p.alive()]

    def begin(self, *options):
        """An exec with one program in front, one behind, one in a session of its own, one adopted."""
        sleep = f"sleep {self.seconds}"
        script = f"{sleep} & setsid {sleep} & (setsid sh -c '{sleep} & exec {sleep}' &) ; {sleep}"
        running = self.stack.holdfast_begin("exec", *options, self.agent.id, "--", "sh", "-c", script)
        self.addCleanup(running.kill)
        wait_for(lambda: len(self.sleepers()) == 5, 20, lambda: f"{self.sleepers()}\n{self.stack.logs()}")
        return running

    def outcome(self, running):
        out, err = running.communicate(timeout=60)
        (row,) = json.loads(out or b"[{}]")
        return row.get("outcome"), err.decode()

    def all_gone(self):
        wait_for(lambda: not self.sleepers(), GONE_SECONDS, lambda: f"left: {self.sleepers()}")

    def job(self):
        return self.stack.holdfast("jobs").json()[0]["job"]

    def test_a_cancel_ends_every_program(self):
        running = self.begin()
        self.stack.holdfast("cancel", self.job())
        outcome, err = self.outcome(running)
        self.assertEqual(outcome, "CANCELLED", err)
        self.assertEqual(self.sleepers(), [])  # not "soon": CANCELLED says that they are gone

    def test_the_end_of_the_program_ends_what_it_left_behind(self):
        sleep = f"sleep {self.seconds}"
        reply = self.stack.holdfast("exec", self.agent.id, "--", "sh", "-c",
                                    f"setsid {sleep} >/dev/null 2>&1 & (setsid {sleep} >/dev/null 2>&1 &)")
        self.assertEqual(reply.json()[0]["outcome"], "DONE")
        self.assertEqual(self.sleepers(), [])

    def test_killing_warden_ends_every_program(self):
        running = self.begin()
        self.agent.kill()
        self.all_gone()
        self.agent.start()
        outcome, err = self.outcome(running)
        self.assertEqual(outcome, "INTERRUPTED", err)

    def test_a_link_process_that_dies_again_and_again_is_back_within_seconds(self):
        slowest = 0
        for _ in range(8):  # a back-off that doubles up to a minute would be at 60 s by now
            (link,) = wait_for(lambda: self.agent.children("link"), 5, self.stack.logs)
            link.kill()
            began = time.monotonic()
            wait_for(lambda: [p for p in self.agent.children("link") if p.pid != link.pid], 5,
                     self.stack.logs)
            slowest = max(slowest, time.monotonic() - began)
        self.assertLess(slowest, 3)  # 2 s, and a process to start
        self.stack.wait_online(self.agent)

    def test_killing_the_worker_ends_every_program(self):
        running = self.begin()
        # Below its keeper; a worker right below warden would be the spare.
        (worker,) = [p for p in self.agent.children("worker") if p.parent != self.agent.process.pid]
        worker.kill()
        outcome, err = self.outcome(running)
        self.assertEqual(outcome, "FAILED", err)
        self.assertEqual(self.sleepers(), [])

    def test_killing_the_keeper_ends_every_program(self):
        running = self.begin()
        (keeper,) = self.agent.children("keeper")
        keeper.kill()
        outcome, err = self.outcome(running)
        self.assertEqual(outcome, "FAILED", err)
        self.assertEqual(self.sleepers(), [])

    def test_an_orderly_stop_ends_every_program_and_says_goodbye(self):
        running = self.begin()
        self.assertEqual(self.agent.stop(), 0)
        self.all_gone()
        self.assertIn("agent_stopping", self.agent.log.read_text())
        self.stack.wait_online(self.agent, online=False)
        self.agent.start()
        outcome, err = self.outcome(running)
        self.assertEqual(outcome, "INTERRUPTED", err)

    def test_a_read_begun_again_that_ends_while_the_agent_still_starts_is_reported(self):
        """Its worker is started from the journal; the start is held up behind it by a file that is a pipe."""
        big, routes = self.stack.dir / "big", self.agent.state / "routes"
        with open(big, "wb") as file:
            file.truncate(1 << 40)
        running = self.stack.holdfast_begin("hash", self.agent.id, big)
        self.addCleanup(running.kill)
        state = lambda: self.stack.holdfast("job", self.job()).json()["deliveries"][0]["state"]
        wait_for(lambda: state() == "STARTED", 20, self.stack.logs)
        self.agent.kill()
        big.write_bytes(b"")  # now it takes no time
        routes.unlink(missing_ok=True)
        os.mkfifo(routes)
        self.agent.start()
        warden = self.agent.process.pid
        enough = time.monotonic() + 3  # an agent that is not ready for a worker's end starts none
        wait_for(lambda: any(p.parent == warden and not p.alive() for p in procs.all_processes())
                 or time.monotonic() > enough, 10, "no time", every=0.02)
        wait_for(lambda: self.opens(routes), 20, self.stack.logs)
        routes.unlink()
        outcome, err = self.outcome(running)
        self.assertEqual(outcome, "DONE", err)

    @staticmethod
    def opens(pipe):
        """Whoever waits for a writer of it goes on, and reads nothing."""
        try:
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            return True
        except OSError:
            return False

    def spares(self):
        return [p.pid for p in self.agent.children("worker") if p.parent == self.agent.process.pid]

    def query(self, sql):
        return self.stack.holdfast("query", self.agent.id, sql).json()[0]["rows"]

    def test_a_spare_worker_serves_the_next_command_and_goes_when_none_comes(self):
        self.query("SELECT 1")
        wait_for(lambda: len(self.spares()) == 1, 3, lambda: f"spares: {self.spares()}")
        (first,) = self.spares()
        # The query runs in it: while it answers it is there, and afterwards another one waits.
        self.assertEqual(len(self.query(f"SELECT pid FROM processes WHERE pid = {first}")), 1)
        wait_for(lambda: first not in self.spares(), 1.5, lambda: "the spare did not take the command")
        wait_for(lambda: not self.spares(), 10, lambda: f"left over: {self.spares()}")

    def test_a_spare_that_died_costs_nothing(self):
        self.query("SELECT 1")
        wait_for(lambda: len(self.spares()) == 1, 3, lambda: f"spares: {self.spares()}")
        procs.Process(self.spares()[0]).kill()
        self.assertEqual(len(self.query("SELECT 1")), 1)

    def test_an_orderly_stop_takes_the_spare_along(self):
        self.query("SELECT 1")
        wait_for(lambda: len(self.spares()) == 1, 3, lambda: f"spares: {self.spares()}")
        (spare,) = self.spares()
        process = procs.Process(spare)
        self.assertEqual(self.agent.stop(), 0)
        wait_for(lambda: not process.alive(), GONE_SECONDS, lambda: "the spare outlived warden")

    def test_link_has_no_right_left(self):
        (link,) = self.agent.children("link")
        with open(f"/proc/{link.pid}/status", encoding="ascii") as status:
            facts = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
        self.assertEqual(facts["NoNewPrivs"], "1")
        self.assertEqual(int(facts["CapEff"], 16), 0)

    def agent_says(self, *argv):
        return subprocess.run([BIN / "holdfast-agent", *argv], capture_output=True, timeout=30,
                              env=self.stack.env(), text=True, check=False)

    def test_status_and_journal_dump_beside_a_running_agent(self):
        self.stack.holdfast("exec", self.agent.id, "--", "true")
        said = json.loads(self.agent_says("status", "--state", self.agent.state, "-o", "json").stdout)
        self.assertEqual((said["id"], said["running"], said["enrolled"]), (self.agent.id, True, True))
        self.assertTrue(said["journal"]["ok"], said)
        self.assertGreater(said["journal"]["epoch"], 0)
        dump = self.agent_says("journal", "dump", "--state", self.agent.state)
        self.assertEqual(dump.returncode, 0, dump.stderr)
        self.assertIn(said["journal"]["incarnation"], dump.stdout)

    def test_a_second_agent_on_the_same_state_is_refused(self):
        second = self.agent_says("run", "--state", self.agent.state)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another holdfast-agent is using", second.stderr)

    def test_run_without_enrolment_says_what_to_do(self):
        done = self.agent_says("run", "--state", self.stack.dir / "nothing")
        self.assertEqual(done.returncode, 2)
        self.assertIn("enrol --bundle", done.stderr)

    def test_enrol_leaves_a_directory_that_is_not_its_own_alone(self):
        place = self.stack.dir / "sources"
        place.mkdir(mode=0o755)
        (place / "main.cc").write_text("int main() {}")
        said = self.agent_says("enrol", "--bundle", self.stack.bundle(), "--state", place)
        self.assertEqual(said.returncode, 2, said)
        self.assertIn("new or empty directory", said.stderr)
        self.assertEqual([p.name for p in place.iterdir()], ["main.cc"])
        self.assertEqual(place.stat().st_mode & 0o777, 0o755)

    def test_a_lost_journal_begins_a_new_incarnation_and_goes_on(self):
        self.agent.stop(signal.SIGTERM)
        for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
            (self.agent.state / name).unlink(missing_ok=True)
        self.agent.start()
        self.stack.wait_online(self.agent)
        self.assertIn("journal_lost", self.agent.log.read_text())
        reply = self.stack.holdfast("exec", self.agent.id, "--", "true")
        self.assertEqual(reply.json()[0]["outcome"], "DONE")


if __name__ == "__main__":
    main()
