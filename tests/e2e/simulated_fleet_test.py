#!/usr/bin/env python3
"""holdfast-fleet: simulated agents against the real backend, whose answers the real tools verify."""
import json
import signal
import subprocess
import unittest

from harness import procs
from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import BIN, Stack

AGENTS = 120  # enrolled at 80 a second: control takes 100


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


class SeededFleetTest(unittest.TestCase):
    """Agents that were written into the store of a marked fleet, in several processes."""

    def setUp(self):
        self.stack = Stack(gateways=2, keys=[("fleet", "simulation", True)])
        self.addCleanup(self.stack.stop)
        self.stack.init()
        self.file = self.stack.dir / "simulation"

    def enrol(self, agents, expect=0):
        return self.stack.run("holdfast-fleet", "enrol", "--dir", self.stack.fleet, "--agents", agents, "--file",
                              self.file, expect=expect)

    def start_fleet(self, *options):
        fleet = subprocess.Popen(
            [BIN / "holdfast-fleet", "--bundle", self.file, "--source-base", "127.1.0.0", "--ramp", "0", *options],
            env=self.stack.env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            preexec_fn=procs.end_with_parent)
        self.addCleanup(fleet.wait)
        self.addCleanup(fleet.kill)
        self.addCleanup(fleet.stdin.close)
        self.addCleanup(fleet.stdout.close)
        return fleet

    def wait_links(self, count):
        wait_for(lambda: self.stack.metrics().get("holdfast_links") == count, 60,
                 lambda: f"{self.stack.metrics().get('holdfast_links')} links instead of {count}\n{self.stack.logs()}")

    def ask(self, fleet):
        fleet.stdin.write(b"figures\n")
        fleet.stdin.flush()
        return json.loads(fleet.stdout.readline())

    def test_many_processes_are_steered_as_one_and_end_with_it(self):
        self.enrol(100)
        self.enrol(120)  # twenty more
        self.stack.start()
        self.assertEqual(len(self.stack.agent_rows()), 120)
        fleet = self.start_fleet("--agents", "120", "--per-process", "50", "--steered")
        fleet.stdin.write(b"agents 60\n")
        fleet.stdin.flush()
        self.wait_links(60)
        fleet.stdin.write(b"agents 120\n")
        fleet.stdin.flush()
        self.wait_links(120)
        answers = self.stack.holdfast("query", "all", "SELECT number").json()
        self.assertEqual(sorted(row["number"] for a in answers for row in a["rows"]), list(range(120)))
        wait_for(lambda: self.ask(fleet)["completed"] == 120, 10, lambda: f"{self.ask(fleet)}")
        figures = self.ask(fleet)
        self.assertEqual((figures["processes"], figures["online"], figures["welcomes"]), (3, 120, 120))
        self.assertEqual((figures["dials"], figures["ends"]), (120, {}))
        children = procs.descendants(fleet.pid)
        self.assertEqual(len(children), 3)
        children[0].kill()  # what one takes along makes the run worthless, and that is said
        self.assertEqual(fleet.wait(20), 2)
        self.wait_links(0)

        fleet = self.start_fleet("--agents", "120", "--per-process", "50")
        self.wait_links(120)
        self.assertFalse([r for r in self.stack.agent_rows().values() if r.get("clone_suspected")])
        children = procs.descendants(fleet.pid)
        fleet.kill()
        wait_for(lambda: not any(child.alive() for child in children), 5, "its processes are still there")

    @staticmethod
    def has_seen_all_kinds(figures):
        return (figures["online"] >= 70 and figures["hostile_acts"] >= 8
                and figures["ends"].keys() & {"try_later", "clone", "superseded"})

    def test_misfits_are_borne_and_good_agents_served(self):
        self.enrol(100)
        self.stack.start()
        fleet = self.start_fleet("--agents", "100", "--slow", "10", "--flaky", "10", "--hostile", "10", "--clones",
                                 "10", "--versions", "9.8.7:1", "--steered")
        fleet.stdin.write(b"agents 100\n")
        fleet.stdin.flush()
        # A copy and its original take turns at most every 10 s, and never with an old epoch.
        wait_for(lambda: self.has_seen_all_kinds(self.ask(fleet)), 30, lambda: f"{self.ask(fleet)}")
        rows = self.stack.agent_rows().values()
        good = next(r for r in rows if r["online"])
        self.assertEqual(good["version"], "9.8.7")
        answers = self.stack.holdfast("query", good["id"], "SELECT 1").json()
        self.assertEqual(answers[0]["outcome"], "DONE")
        self.assertIsNone(self.stack.backend.poll())
        self.assertEqual({p.argv[2] for p in self.stack.processes("gateway")}, {"gateway"})

    def test_writes_only_into_a_simulation_that_does_not_run(self):
        config = self.stack.fleet / "server/holdfastd.toml"
        config.write_text(config.read_text().replace("simulation = true", "simulation = false"))
        self.assertIn("not marked as a simulation", self.enrol(5, expect=2).err)
        config.write_text(config.read_text().replace("simulation = false", "simulation = true"))
        self.stack.start()
        self.assertIn("holdfastd runs", self.enrol(5, expect=2).err)
        self.stack.add_agent("endpoint", start=False)
        self.stack.stop_backend()
        self.assertIn("is not of this simulation", self.enrol(5, expect=2).err)


class UsageTest(unittest.TestCase):
    def test_says_what_is_wrong_with_a_bundle(self):
        done = subprocess.run([BIN / "holdfast-fleet", "--bundle", "/nonexistent"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"/nonexistent", done.stderr)


if __name__ == "__main__":
    main()
