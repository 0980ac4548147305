#!/usr/bin/env python3
"""holdfast pty: a real terminal through real programs, with what breaks on the way and how it ends."""
import os
import re
import shutil
import signal
import time

from harness import procs
from harness.case import main
from harness.procs import wait_for
from harness.stack import BIN
from harness.terminal import Terminal
from harness.terminal_case import PROMPT, TerminalTest


class PtyTest(TerminalTest):
    # --- a terminal ------------------------------------------------------------------------------
    def test_is_a_terminal_that_keys_sizes_and_signals_reach(self):
        terminal = self.open()
        self.assertIn("/dev/pts/", self.run_in(terminal, "tty"))
        self.assertIn("24 80", self.run_in(terminal, "stty size"))
        self.assertIn("xterm", self.run_in(terminal, "echo $TERM"))
        terminal.resize(33, 111)
        wait_for(lambda: "33 111" in self.run_in(terminal, "stty size"), 10, "the size did not come")
        terminal.type("sleep 100\r")
        time.sleep(0.3)
        terminal.type("\x03")
        terminal.wait_for(PROMPT, since=len(terminal.shown))
        self.assertIn("status=130", self.run_in(terminal, "echo status=$?"))
        self.finish(terminal)
        self.assertIn('"r", "111x33"', self.assert_same_recording(terminal))
        self.ended(None)

    def test_opens_the_login_shell(self):
        terminal = self.open(program=(), ready=False)
        terminal.wait_for(b"# " if os.geteuid() == 0 else b"$ ")
        terminal.type("echo login=$0 home=$HOME\r")
        shown = terminal.wait_for("login=-")
        self.assertTrue(shown)
        self.finish(terminal)

    def test_shows_vim_and_less_as_they_draw(self):
        for program in ("vim", "less"):
            if not shutil.which(program):
                raise AssertionError(f"{program} is not installed: apt-get install {program}")
        text = self.stack.dir / "text"
        text.write_text("".join(f"line {n}\n" for n in range(1, 200)))
        terminal = self.open()
        since = len(terminal.shown)
        terminal.type(f"vim -u NONE -N {text}\r")
        terminal.wait_for("line 22", since=since)
        wait_for(lambda: terminal.read(0.2) == b"", 5, "vim draws on")
        lines = terminal.screen(since).splitlines()
        self.assertIn("line 1", lines)
        self.assertLess(lines.index("line 1"), lines.index("line 20"))
        terminal.type("Gotyped here\x1b:wq\r")
        terminal.wait_for(PROMPT, since=len(terminal.shown))
        self.assertTrue(text.read_text().endswith("line 199\ntyped here\n"))
        since = len(terminal.shown)
        terminal.type(f"less {text}\r")
        terminal.wait_for("line 20", since=since)
        terminal.type("G")
        terminal.wait_for("typed here", since=since)
        terminal.type("q")
        terminal.wait_for(PROMPT, since=since)
        self.finish(terminal)
        self.assert_same_recording(terminal)

    def test_ends_with_the_programs_own_status(self):
        terminal = self.open(program=("sh", "-c", "exit 3"), ready=False)
        self.assertEqual(terminal.wait(), 1)
        self.assertIn(b"ended with status 3", terminal.shown)
        terminal = self.open(program=("sh", "-c", "kill -9 $$"), ready=False)
        self.assertEqual(terminal.wait(), 1)
        self.ended("KILLED")
        terminal = self.open(program=("/no/such/program",), ready=False)
        self.assertEqual(terminal.wait(), 1)
        self.ended("CANNOT_EXECUTE")

    def test_passes_on_every_byte_and_escapes_what_it_says_itself(self):
        terminal = self.open()
        every = bytes(range(256))
        (self.stack.dir / "every").write_bytes(every)
        self.run_in(terminal, "stty -opost")
        shown = self.run_in(terminal, f"cat {self.stack.dir}/every; echo; stty opost") and bytes(terminal.shown)
        self.assertIn(every, shown)
        self.finish(terminal)
        # Neither list shows such bytes, nor does the recording hold them.
        text = self.assert_same_recording(terminal)
        self.assertTrue(all(c == "\n" or c >= " " for c in text))
        self.assertNotIn("\x7f", text)
        self.assertNotIn("\x9b", text)

    def test_undoes_what_was_left_switched_on(self):
        terminal = self.open()
        terminal.type("printf '\\033[?1049h\\033[?25l\\033[?1000h'\r")
        terminal.wait_for(b"\x1b[?1000h")
        since = len(terminal.shown)
        terminal.type("\r~.")
        terminal.wait()
        for sequence in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l"):
            self.assertIn(sequence, terminal.shown[since:])

    # --- endings ---------------------------------------------------------------------------------
    def test_gives_the_terminal_back_however_it_ends(self):
        terminal = self.open()
        self.assertNotEqual(terminal.settings(), terminal.before)
        terminal.type("\r~.")
        self.assertEqual(terminal.wait(), 0)
        self.assertEqual(terminal.settings(), terminal.before)
        self.ended(None)
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            terminal = self.open()
            terminal.process.send_signal(sig)
            terminal.wait()
            self.assertEqual(terminal.settings(), terminal.before, sig)
            self.ended(None)
        terminal = self.open()
        self.stack.processes("control")[0].kill(signal.SIGSTOP)
        terminal.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        terminal.process.send_signal(signal.SIGTERM)  # does not wait for a word that does not come
        terminal.wait()
        self.stack.processes("control")[0].kill(signal.SIGCONT)
        self.assertEqual(terminal.settings(), terminal.before)

    def test_leaves_no_process_behind(self):
        terminal = self.open()
        mark = f"{time.monotonic_ns()}"
        self.run_in(terminal, f"sleep 1000{mark[-6:]} & setsid sh -c 'trap \"\" HUP; exec sleep 2000{mark[-6:]}' &")
        def alive():
            return [p for p in procs.all_processes() if p.alive() and any(mark[-6:] in w for w in p.argv)]
        wait_for(lambda: len(alive()) >= 2, 10, lambda: f"{alive()}")
        terminal.type("\r~.")
        terminal.wait()
        wait_for(lambda: not alive(), 10, lambda: f"{alive()}")

    def test_a_cancel_ends_it(self):
        terminal = self.open()
        self.stack.holdfast("cancel", self.job()["job"])
        terminal.wait()
        self.assertIn(b"CANCELLED", terminal.shown)
        self.assertEqual(terminal.settings(), terminal.before)

    def test_ends_with_the_agent_that_ran_it(self):
        terminal = self.open()
        self.agent.kill()
        self.agent.start()
        terminal.wait(60)
        self.assertIn(b"INTERRUPTED", terminal.shown)
        self.assertEqual(terminal.settings(), terminal.before)
        self.stack.wait_online(self.agent)

    def test_ends_at_its_limits_and_says_so_before(self):
        terminal = self.open("--idle", "4s")
        terminal.wait_for("no key was pressed")
        self.assertEqual(terminal.wait(), 1)
        self.ended("IDLE_LIMIT")
        self.assert_same_recording(terminal)
        terminal = self.open("--max-time", "6s")
        for _ in range(8):
            terminal.type(" ")
            terminal.read(1)
        self.assertEqual(terminal.wait(), 1)
        self.ended("WALL_LIMIT")
        self.assert_same_recording(terminal)

    # --- cuts ------------------------------------------------------------------------------------
    def test_loses_no_byte_when_the_gateway_dies_over_and_over(self):
        terminal = self.open()
        since = len(terminal.shown)
        terminal.type("seq 1 100000 > /tmp/seq.$$; seq 1 100000; rm /tmp/seq.$$; echo the''end\r")
        terminal.wait_for("\n3000\r", since=since)
        for _ in range(3):
            for gateway in self.stack.processes("gateway"):
                gateway.kill()
            terminal.read(0.3)
            time.sleep(0.7)
        end = terminal.wait_for("theend", 60, since)
        numbers = re.findall(rb"\n(\d+)\r", bytes(terminal.shown[since:end]))
        self.assertEqual(numbers, [b"%d" % n for n in range(1, 100001)])
        # And none that is typed: cat shows each line twice, as it is typed and as it is read.
        terminal.wait_for(PROMPT, since=end)
        copy = self.stack.dir / "typed"
        terminal.type(f"stty -echo; cat > {copy}\r")
        time.sleep(0.5)
        lines = [f"typed line {n}" for n in range(400)]
        for at, line in enumerate(lines):
            terminal.type(line + "\r")
            if at in (50, 200):
                for gateway in self.stack.processes("gateway"):
                    gateway.kill()
            if at % 10 == 0:
                terminal.read(0.02)
        terminal.type("\x04")
        terminal.wait_for(PROMPT, 60, len(terminal.shown))
        self.assertEqual(copy.read_text().splitlines(), lines)
        terminal.type("stty echo\r")
        self.finish(terminal)
        self.assert_same_recording(terminal)

    def test_a_large_paste_arrives_whole(self):
        terminal = self.open()
        copy = self.stack.dir / "pasted"
        text = "".join(f"{n:07d} pasted\n" for n in range(20000))
        terminal.type(f"stty raw -echo; head -c {len(text)} > {copy}; stty sane; echo do''ne\r")
        time.sleep(1)
        terminal.type(text)
        terminal.wait_for("done", 60)
        self.assertEqual(copy.read_text(), text)
        self.finish(terminal)
        self.assert_same_recording(terminal)

    def test_goes_on_after_control_and_redis_died(self):
        terminal = self.open()
        for role in ("control", "redis"):
            self.stack.processes(role)[0].kill()
            time.sleep(0.5)
            terminal.type(f"echo after-{role}''.\r")
            terminal.wait_for(f"after-{role}.", 60)
        self.finish(terminal)
        self.assert_same_recording(terminal)

    # --- who may, and who may not -----------------------------------------------------------------
    def test_is_for_those_with_its_class_alone(self):
        self.stack.holdfast("operator", "add", "reader", "--class", "read", "--class", "act", output=None)
        rows = {r["name"]: r for r in self.stack.holdfast("operator", "list").json()}
        self.assertEqual(rows["reader"]["classes"], "read act")
        for verb in ("pty", "shell"):
            terminal = Terminal([BIN / "holdfast", "--dir", self.stack.fleet, "--operator", "reader", verb,
                                 self.agent.id], self.stack.env(TERM="xterm"))
            self.addCleanup(terminal.close)
            self.assertEqual(terminal.wait(), 4, terminal.shown)
        self.assertIn("reader", self.stack.holdfast("operator", "renew", "reader", output=None).text)
        rows = {r["name"]: r for r in self.stack.holdfast("operator", "list").json()}
        self.assertEqual(rows["reader"]["classes"], "read act")  # nothing is won by waiting

    def test_output_in_the_audit_and_lists_is_escaped(self):
        terminal = self.open(program=("sh", "-c", "printf '\\033]0;title\\007'; exit 0"), ready=False)
        terminal.wait()
        for argv in (("jobs",), ("audit",), ("job", self.job()["job"][:12])):
            self.assertNotIn("\x1b", self.stack.holdfast(*argv, output="table").text)
        self.assertIn("pty", self.stack.holdfast("audit", "--job", self.job()["job"], output="table").text)


if __name__ == "__main__":
    main()
