#!/usr/bin/env python3
"""Signals by name and by tree, programs that come along, and the words that stand for a query."""
import os
import signal
import subprocess

from harness import procs
from harness.case import AgentTest, main
from harness.procs import wait_for

SHORTHANDS = ("mounts", "netstat", "listening", "routes", "users", "who", "services", "packages")


class ProcessVerbsTest(AgentTest):
    def state(self, pid):
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rsplit(b")", 1)[1].split()[0].decode()

    # --- kill ------------------------------------------------------------------------------------
    def test_suspend_stops_a_process_and_resume_lets_it_go_on(self):
        victim = subprocess.Popen(["sleep", "54321"])
        self.addCleanup(victim.kill)
        row = self.ask("suspend", victim.pid)["rows"][0]
        self.assertEqual((row["signal"], row["result"]), (signal.SIGSTOP, "signalled"))
        wait_for(lambda: self.state(victim.pid) == "T", 5, "it still runs")
        self.ask("resume", victim.pid)
        wait_for(lambda: self.state(victim.pid) == "S", 5, "it still stands")
        self.ask("kill", victim.pid, "--signal", "usr1")
        wait_for(lambda: victim.poll() is not None, 5, "it still runs")
        self.assertEqual(victim.returncode, -signal.SIGUSR1)

    def test_kill_tree_takes_the_descendants_too(self):
        root = subprocess.Popen(["sh", "-c", "(sleep 54322 & sleep 54322 & wait) & sleep 54322 & wait"],
                                start_new_session=True)
        self.addCleanup(root.kill)
        wait_for(lambda: len(procs.descendants(root.pid)) == 4, 10, "the tree does not grow")
        below = [p.pid for p in procs.descendants(root.pid)]
        rows = self.ask("kill", root.pid, "--tree", "--signal", "KILL")["rows"]
        self.assertEqual({r["pid"] for r in rows}, {root.pid, *below})
        root.wait(timeout=10)
        wait_for(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in below
                                 if self.alive(pid)), 10, "a descendant is left")

    @staticmethod
    def alive(pid):
        try:
            with open(f"/proc/{pid}/stat", "rb") as stat:
                return stat.read().rsplit(b")", 1)[1].split()[0] != b"Z"
        except FileNotFoundError:
            return False

    def test_kill_tree_leaves_a_tree_with_the_agent_in_it_alone(self):
        answer = self.ask("kill", self.agent.process.pid, "--tree", status=1)
        self.assertEqual(answer["failure"], "PERMISSION")
        self.assertEqual(answer["rows"], [])

    # --- run, runscript --------------------------------------------------------------------------
    def test_a_script_runs_there_and_leaves_nothing(self):
        script = self.stack.dir / "triage.sh"
        script.write_text('echo "got: $1"; echo "and: $2" >&2; pwd; exit 4\n')
        answer = self.ask("runscript", script, "--cwd", "/usr", "--", "a b", "$HOME", status=1)
        self.assertEqual(answer["failure"], "EXIT_STATUS")
        self.assertEqual((answer["stdout"], answer["stderr"], answer["exit_code"]),
                         ("got: a b\n/usr\n", "and: $HOME\n", 4))
        self.assert_nothing_left()

    def test_a_script_of_another_language_names_its_interpreter(self):
        shell = self.stack.dir / "script.sh"
        shell.write_text("echo ${BASH_VERSION:+bash}\n")
        answer = self.ask("runscript", shell, "--interpreter", "/bin/bash")
        self.assertEqual(answer["stdout"], "bash\n")

    def test_a_program_runs_there_and_leaves_nothing(self):
        with open("/bin/echo", "rb") as program:
            (self.stack.dir / "collector").write_bytes(program.read())
        answer = self.ask("run", self.stack.dir / "collector", "--", "hello", "--", "-o", "json")
        self.assertEqual(answer["stdout"], "hello -- -o json\n")
        self.assert_nothing_left()
        job = next(j for j in self.stack.holdfast("jobs").json() if j["verb"] == "run")
        self.assertIn('"collector" "hello"', job["detail"])

    def test_a_script_is_gone_even_if_its_worker_is_killed(self):
        script = self.stack.dir / "long.sh"
        script.write_text("echo begun; sleep 54323\n")
        running = self.stack.holdfast_begin("runscript", self.agent.id, script)
        self.addCleanup(running.kill)
        workers = lambda: [w for w in self.agent.children("worker") if procs.descendants(w.pid)]
        wait_for(workers, 30, "the script does not run")
        os.kill(workers()[0].pid, signal.SIGKILL)
        running.communicate(timeout=60)
        self.assertEqual(running.returncode, 1)
        self.assert_nothing_left()

    def assert_nothing_left(self):
        left = lambda: [p for p in self.agent.state.rglob("*") if p.name.endswith((".blob", ".tmp"))]
        wait_for(lambda: not left(), 10, lambda: f"left behind: {left()}")

    # --- shorthands ------------------------------------------------------------------------------
    def test_each_shorthand_is_a_query_that_the_agent_understands(self):
        for word in SHORTHANDS:
            with self.subTest(word=word):
                self.assertEqual(self.ask(word)["outcome"], "DONE")
        self.assertIn("/proc", [row["path"] for row in self.ask("mounts")["rows"]])
        self.assertIn("root", [row["username"] for row in self.ask("users")["rows"]])
        self.assertIn(self.stack.agent_port, [int(row["port"]) for row in self.ask("listening")["rows"]])
        self.assertTrue([row for row in self.ask("netstat")["rows"]
                         if int(row["remote_port"] or 0) == self.stack.agent_port])
        job = next(j for j in self.stack.holdfast("jobs").json() if "process_open_sockets" in j["detail"])
        self.assertEqual(job["verb"], "query")

    def test_a_word_for_a_program_is_an_exec_of_it(self):
        # An account that no machine has: nothing is changed anywhere.
        answer = self.ask("lock-user", "no-such-account-98765", status=1)
        self.assertIn(answer["failure"], ("EXIT_STATUS", "CANNOT_EXECUTE"))
        if answer["failure"] == "EXIT_STATUS":
            self.assertIn("no-such-account-98765", answer["stderr"])
        job = next(j for j in self.stack.holdfast("jobs").json() if "no-such-account" in j["detail"])
        self.assertEqual(job["detail"], 'exec "usermod" "--lock" "--expiredate" "1" "--" '
                                        '"no-such-account-98765"')

    def test_env_shows_the_environment_of_a_process(self):
        victim = subprocess.Popen(["sleep", "54324"], env={"MARK": "it is me"})
        self.addCleanup(victim.wait)
        self.addCleanup(victim.kill)
        self.assertEqual(self.ask("env", victim.pid)["rows"], [{"key": "MARK", "value": "it is me"}])
        self.stack.holdfast("env", self.agent.id, expect=2)


if __name__ == "__main__":
    main()
