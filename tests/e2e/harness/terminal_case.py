"""TerminalTest: one agent, and terminals on it (harness/terminal.py) whose prompt is known."""
import hashlib
import os
import time

from .case import StackTest
from .procs import wait_for
from .stack import BIN
from .terminal import Terminal

PROMPT = "READY> "


class TerminalTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    def setUp(self):
        self.agent_id = bytes.fromhex(self.agent.id)
        self.records = self.stack.dir / f"rec-{time.monotonic_ns()}"

    def open(self, *options, program=("sh",), rows=24, columns=80, ready=True):
        env = self.stack.env(TERM="xterm")
        terminal = Terminal([BIN / "holdfast", "--dir", self.stack.fleet, "pty", self.agent.id, "-d", self.records,
                             *options, *(("--", *program) if program else ())], env, rows, columns)
        self.addCleanup(terminal.close)
        if ready:
            terminal.wait_for("$ " if os.geteuid() else "# ")
            terminal.type(f"PS1='READY''> '\r")
            terminal.wait_for(PROMPT)
        return terminal

    def run_in(self, terminal, line, seconds=20):
        return terminal.run(line, PROMPT, seconds)

    def job(self):
        return self.stack.holdfast("jobs", "--limit", 1).json()[0]

    def ended(self, failure):
        """How the last terminal ended, by the agent's signed word."""
        job = self.job()["job"]
        def delivery():
            return self.stack.holdfast("job", job).json()["deliveries"][0]
        wait_for(lambda: delivery()["state"] == "ENDED", 20, lambda: f"{delivery()}")
        self.assertEqual(delivery()["failure"], failure, delivery())
        return job

    def recordings(self):
        job = self.job()["job"]
        (here,) = self.records.rglob(f"pty-{job[:12]}.cast")
        return here, self.agent.state / "recordings" / f"{job}.cast"

    def assert_same_recording(self, terminal):
        here, there = self.recordings()
        self.assertEqual(here.read_bytes(), there.read_bytes())
        shown = bytes(terminal.shown).decode(errors="replace")
        self.assertIn(hashlib.sha256(there.read_bytes()).hexdigest(), shown)
        self.assertIn("the same as on the endpoint", shown)
        for path in (here, there):
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        return there.read_text()

    def finish(self, terminal, status=0):
        terminal.type("exit\r")
        self.assertEqual(terminal.wait(), status)
        self.assertEqual(terminal.settings(), terminal.before)
