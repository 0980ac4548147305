#!/usr/bin/env python3
"""holdfast-fleet: 200 simulated agents against the real backend, whose answers the real tools verify."""
import json
import signal
import subprocess
import unittest

from harness import procs
from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import BIN

AGENTS = 200  # enrolled at 80 a second: control takes 100


def generated(size):
    """What /sim/bytes/N holds (backend/fleet/machine_model.h)."""
    return bytes((i * 131 + (i >> 8)) & 0xFF for i in range(size))


class SimulatedFleetTest(StackTest):
    gateways = 2

    @classmethod
    def set_up_agents(cls):
        cls.token = cls.stack.bundle("--uses", str(AGENTS))
        cls.state = cls.stack.dir / "simulated"

    def setUp(self):
        self.fleet = subprocess.Popen(
            [BIN / "holdfast-fleet", "--bundle", self.token, "--agents", str(AGENTS), "--state", self.state,
             "--source-base", "127.1.0.0", "--ramp", "80", "--json"], env=self.stack.env(),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=procs.end_with_parent)
        self.addCleanup(self.end)
        self.wait_links(AGENTS)

    def end(self):
        """Orderly, as after Ctrl-C; the report."""
        if self.fleet.poll() is None:
            self.fleet.send_signal(signal.SIGINT)
        out, _ = self.fleet.communicate(timeout=30)
        return json.loads(out) if out else None

    def wait_links(self, count):
        wait_for(lambda: self.stack.metrics().get("holdfast_links") == count, 60,
                 lambda: f"{self.stack.metrics().get('holdfast_links')} links instead of {count}")

    def test_one_command_to_all_is_answered_by_each_and_verified_once(self):
        answers = self.stack.holdfast("query", "all", "SELECT hostname, number").json()
        self.assertEqual(len(answers), AGENTS)
        self.assertEqual({a["outcome"] for a in answers}, {"DONE"})
        rows = sorted(row["number"] for a in answers for row in a["rows"])
        self.assertEqual(rows, list(range(AGENTS)))
        report = self.end()
        self.assertEqual((report["commands"], report["completed"], report["verified"]), (AGENTS, AGENTS, 1))
        self.assertEqual(report["ends"], {"agent_stopping": AGENTS})
        self.assertEqual(self.fleet.returncode, 0)
        self.wait_links(0)

    def test_files_and_programs_of_a_simulated_machine(self):
        local = self.stack.dir / "got"
        got = self.stack.holdfast("get", "sim-000003", "/sim/bytes/700000", "-d", local).json()[0]
        with open(got["path"], "rb") as file:
            self.assertEqual(file.read(), generated(700000))
        ran = self.stack.holdfast("exec", "sim-000004", "--", "echo", "hi").json()[0]
        self.assertEqual(ran["stdout"], "sim-000004: echo hi\n")
        failed = self.stack.holdfast("exec", "sim-000004", "--", "false", expect=1).json()[0]
        self.assertEqual((failed["failure"], failed["exit_code"]), ("EXIT_STATUS", 1))
        gone = self.stack.holdfast("get", "sim-000004", "/nowhere", "-d", local, expect=1).json()[0]
        self.assertEqual(gone["failure"], "NO_SUCH_FILE")

    def test_agents_come_back_after_a_gateway_is_killed_and_are_never_taken_for_clones(self):
        self.stack.processes("gateway")[0].kill()
        self.wait_links(AGENTS)
        answers = self.stack.holdfast("query", "all", "SELECT 1").json()
        self.assertEqual(sum(a["outcome"] == "DONE" for a in answers), AGENTS)
        self.assertFalse([r for r in self.stack.agent_rows().values() if r.get("clone_suspected")])
        self.assertGreater(self.end()["ends"]["peer_gone"], AGENTS // 4)

    def test_identities_outlive_a_run_and_a_kill(self):
        self.fleet.kill()
        self.fleet.communicate()
        self.wait_links(0)
        self.setUp()  # the token has no uses left: these must be the same agents
        self.assertEqual(len(self.stack.agent_rows()), AGENTS)


class UsageTest(unittest.TestCase):
    def test_says_what_is_wrong_with_a_bundle(self):
        done = subprocess.run([BIN / "holdfast-fleet", "--bundle", "/nonexistent"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"/nonexistent", done.stderr)


if __name__ == "__main__":
    main()
