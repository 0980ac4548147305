#!/usr/bin/env python3
"""holdfast shell: the console, typed into by a person and fed by a pipe."""
import json
import os
import pathlib
import subprocess
import time

from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import ANSWER_SECONDS, BIN, Reply
from harness.terminal import Terminal


class ShellTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")
        cls.other = cls.stack.add_agent("b")
        cls.place = cls.stack.dir / "place"
        (cls.place / "deep er").mkdir(parents=True)
        (cls.place / "deep er/file one").write_text("content of one\n")
        (cls.place / "big").write_bytes(b"x" * 5_000_000)
        (cls.place / "link").symlink_to("deep er")
        (cls.place / "evil\x1b]0;x\x07").write_text("")

    def pipe(self, *lines, options=(), expect=0):
        done = subprocess.run([BIN / "holdfast", "--dir", self.stack.fleet, "shell", self.agent.id, *options],
                              input="".join(line + "\n" for line in lines).encode(), env=self.stack.env(),
                              capture_output=True, timeout=ANSWER_SECONDS, check=False)
        reply = Reply(["holdfast", "shell", *lines], done.returncode, done.stdout, done.stderr.decode(errors="replace"))
        self.assertEqual(done.returncode, expect, reply)
        return reply

    def open(self):
        terminal = Terminal([BIN / "holdfast", "--dir", self.stack.fleet, "shell", self.agent.id],
                            self.stack.env(TERM="xterm"), rows=40, columns=120)
        self.addCleanup(terminal.close)
        terminal.wait_for(":/> ")
        time.sleep(0.3)
        return terminal

    def typed(self, terminal, keys, wanted, seconds=20):
        since = len(terminal.shown)
        terminal.type(keys)
        end = terminal.wait_for(wanted, seconds, since)
        if keys.endswith("\r"):  # what is typed before the next prompt would be the running line's
            terminal.wait_for("> ", seconds, end)
            time.sleep(0.3)  # the prompt is there a moment before the line is edited
        return bytes(terminal.shown[since:end]).decode(errors="replace")

    # --- from a pipe -----------------------------------------------------------------------------
    def test_lines_are_commands_where_it_stands(self):
        said = self.pipe(f"cd {self.place}", "pwd", "", "# a comment", "cat 'deep er/file one'", "cd deep\\ er",
                         "hash 'file one'", "cd ..", "exec pwd", "cd -", "pwd", "cd ../link", "ls 'file one'", "exit", "never")
        lines = said.text.splitlines()
        self.assertEqual(lines[0], str(self.place))
        self.assertEqual(lines[1], "content of one")
        self.assertIn(f"{self.place}/deep er/file one", said.text)
        self.assertIn(f"{self.place}/deep er", lines)
        self.assertIn(f"{self.place}/link/file one", lines[-1])
        jobs = self.stack.holdfast("jobs", "--limit", 20).json()
        self.assertIn("hash", [job["verb"] for job in jobs])  # each is a command, in the audit like any other

    def test_ends_at_the_first_line_that_fails_unless_told(self):
        said = self.pipe("cat /no/such/file", "exec echo never", expect=1)
        self.assertNotIn("never", said.text)
        said = self.pipe("cat /no/such/file", "exec echo still", options=("-k",), expect=1)
        self.assertIn("still", said.text)
        self.pipe("nonsense", expect=2)
        self.pipe("ls 'open", expect=2)
        self.pipe("cd /etc/passwd", expect=1)
        self.pipe("init", expect=2)
        self.assertIn("is not for the console", self.pipe("agents", expect=2).err)

    def test_is_for_one_endpoint_and_signs_under_its_own_class(self):
        done = self.stack.holdfast("shell", "all", output=None, expect=2)
        self.assertIn("one endpoint", done.err)
        self.pipe("exec true")
        job = self.stack.holdfast("jobs", "--limit", 1).json()[0]
        self.assertEqual(job["targets"], 1)
        # Who has the classes of all its verbs, and not the console's, does not get in; and the other way round.
        self.stack.holdfast("operator", "add", "typist", "--class", "read", "--class", "act", output=None)
        self.stack.holdfast("operator", "add", "consoler", "--class", "shell", output=None)
        for name, status in (("typist", 4), ("consoler", 0)):
            done = subprocess.run([BIN / "holdfast", "--dir", self.stack.fleet, "--operator", name, "shell",
                                   self.agent.id], input=b"exec true\n", env=self.stack.env(), capture_output=True,
                                  timeout=ANSWER_SECONDS, check=False)
            self.assertEqual(done.returncode, status, done)
        self.stack.holdfast("--operator", "consoler", "exec", self.agent.id, "--", "true", output=None, expect=4)
        self.stack.holdfast("--operator", "typist", "exec", self.agent.id, "--", "true", output=None)

    def test_formats_count_for_each_line(self):
        done = self.pipe("hash /etc/passwd -o json")
        self.assertEqual(json.loads(done.out)[0]["outcome"], "DONE")

    # --- typed -----------------------------------------------------------------------------------
    def test_completes_verbs_options_and_paths_of_the_endpoint(self):
        terminal = self.open()
        self.typed(terminal, "has\t/etc/hostn\t\r", "/etc/hostname\r")
        self.typed(terminal, f"cd {self.place}\r", "cd ")
        self.typed(terminal, "cat deep\t", "\\ er/")
        self.typed(terminal, "file\t\r", "content of one")
        shown = self.typed(terminal, "cat \t\t", "link")
        self.assertNotIn("\x1b]0;x", shown)  # a name that would speak to the terminal is not offered
        self.typed(terminal, "\x15ls --rec\t", "ursive")
        terminal.type("\x15exit\r")
        self.assertEqual(terminal.wait(), 0)

    def test_ctrl_c_cancels_the_line_and_not_the_console(self):
        terminal = self.open()
        since = len(terminal.shown)
        terminal.type("exec sleep 1000\r")
        wait_for(lambda: self.stack.holdfast("jobs", "--open").json(), 10, "it did not start")
        terminal.type("\x03")
        terminal.wait_for("> ", since=terminal.wait_for("is cancelled", since=since))
        wait_for(lambda: not self.stack.holdfast("jobs", "--open").json(), 20, "it goes on")
        self.typed(terminal, "exec echo after''wards\r", "afterwards")
        self.typed(terminal, "half a line\x03", "> ")
        time.sleep(0.3)
        self.typed(terminal, "exec echo once''more\r", "oncemore")
        terminal.type("\x04")
        terminal.wait()

    def test_a_terminal_in_the_console_gives_it_back(self):
        terminal = self.open()
        terminal.type(f"pty -d {self.stack.dir}/rec -- sh\r")
        terminal.wait_for("# " if os.geteuid() == 0 else "$ ")
        since = len(terminal.shown)
        terminal.type("tty; exit\r")
        terminal.wait_for("the same as on the endpoint", since=since)
        terminal.wait_for("> ", since=len(terminal.shown) - 40)
        time.sleep(0.3)
        since = len(terminal.shown)
        terminal.type("exec sleep 1002\r")
        wait_for(lambda: self.stack.holdfast("jobs", "--open").json(), 10, "it did not start")
        terminal.type("\x03")
        terminal.wait_for("is cancelled", since=since)
        terminal.type("exit\r")
        terminal.wait()

    def test_leaves_lines_running_and_says_when_they_end(self):
        terminal = self.open()
        self.typed(terminal, "exec sleep 2 &\r", "[1]")
        self.typed(terminal, "jobs\r", "runs")
        since = len(terminal.shown)
        terminal.type("exec sleep 1001\r")
        wait_for(lambda: len(self.stack.holdfast("jobs", "--open").json()) >= 1, 10, "it did not start")
        time.sleep(0.5)
        terminal.type("\x1a")
        terminal.wait_for("> ", since=terminal.wait_for("[2]", since=since))
        job = self.stack.holdfast("jobs", "--open").json()[0]["job"]
        time.sleep(2)
        self.typed(terminal, "\r", "[1] has ended")
        self.typed(terminal, f"cancel {job[:12]}\r", "cancel")
        wait_for(lambda: not self.stack.holdfast("jobs", "--open").json(), 20, "it goes on")
        terminal.type("\r")
        terminal.wait_for("[2] has ended", since=since)
        terminal.type("exit\r")
        terminal.wait()

    def test_keeps_a_history_for_its_user_alone(self):
        terminal = self.open()
        self.typed(terminal, "exec echo first''line\r", "firstline")
        self.typed(terminal, " exec echo sec''ret\r", "secret")
        terminal.type("exit\r")
        terminal.wait()
        history = pathlib.Path(self.stack.home) / ".local/state/holdfast/history"
        self.assertEqual(history.stat().st_mode & 0o777, 0o600)
        self.assertIn("exec echo first''line", history.read_text())
        self.assertNotIn("ret", history.read_text())
        terminal = self.open()
        self.typed(terminal, "\x1b[A", "exit")
        self.typed(terminal, "\x1b[A\r", "firstline")
        terminal.type("\x04")
        terminal.wait()

    def test_get_shows_how_far_it_is(self):
        terminal = self.open()
        into = self.stack.dir / "into"
        shown = self.typed(terminal, f"get {self.place}/big -d {into} --max-time 1m\r", "sha256")
        self.assertIn("5.0 MB", shown)
        self.assertEqual(os.path.getsize(next(into.rglob("big"))), 5_000_000)
        terminal.type("exit\r")
        terminal.wait()

    def test_help_says_what_there_is(self):
        terminal = self.open()
        shown = self.typed(terminal, "help\r", "exec")
        self.assertIn("cd DIR", shown)
        shown = self.typed(terminal, "help find\r", "--suid")
        self.assertIn("usage: find PATH", shown)
        self.assertNotIn("TARGET", shown)
        terminal.type("quit\r")
        terminal.wait()


if __name__ == "__main__":
    main()
