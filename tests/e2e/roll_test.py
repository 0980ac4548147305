#!/usr/bin/env python3
"""`holdfastd roll`: every process of the backend is replaced while commands run, and none of them fails.
`holdfastd reload`: settings change while links stay."""
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time
from datetime import datetime

from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import BIN, set_key

ROLL_SECONDS = 120
MOST_GAP_SECONDS = 5  # delivery.md A11
SLACK_SECONDS = 10    # a busy machine


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


class Stream(threading.Thread):
    """One command after the other to one agent, until it is stopped."""

    def __init__(self, stack, agent):
        super().__init__()
        self.stack, self.agent = stack, agent
        self.enough = threading.Event()
        self.ended = []   # monotonic seconds at which commands ended
        self.failed = []

    def run(self):
        while not self.enough.is_set():
            reply = self.stack.holdfast("query", self.agent.id, "SELECT 1 AS one", expect=None)
            self.ended.append(time.monotonic())
            try:
                good = reply.status == 0 and reply.json()[0]["outcome"] == "DONE"
            except AssertionError:
                good = False
            if not good:
                self.failed.append(str(reply))

    def gaps(self):
        return [b - a for a, b in zip(self.ended, self.ended[1:])]

    def stop(self):
        self.enough.set()
        self.join()


class Orders(StackTest):
    gateways = 2

    @classmethod
    def set_up_agents(cls):
        cls.agents = [cls.stack.add_agent(name) for name in ("a", "b")]
        cls.config = cls.stack.fleet / "server/holdfastd.toml"

    def order(self, word, seconds=ROLL_SECONDS):
        done = subprocess.run([BIN / "holdfastd", "--dir", self.stack.fleet, word],
                              env=self.stack.env(), capture_output=True, timeout=seconds, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        return done.returncode, done.stdout.splitlines(), done.stderr

    def pids(self):
        return {role: {p.pid for p in self.stack.processes(role)}
                for role in ("gateway", "control", "redis")}

    def epoch(self, agent):
        said = subprocess.run([BIN / "holdfast-agent", "status", "--state", agent.state, "-o", "json"],
                              capture_output=True, timeout=30, env=self.stack.env(), check=True)
        return json.loads(said.stdout)["journal"]["epoch"]

    def answers(self):
        for agent in self.agents:
            answer = self.stack.holdfast("query", agent.id, "SELECT 1 AS one").json()[0]
            self.assertEqual(answer["outcome"], "DONE")


class RollTest(Orders):
    def starved(self):
        """Seconds that control's restart took above one: on a machine that has better to do, those are its."""
        at = lambda event: [datetime.fromisoformat(t) for t in re.findall(
            rf"ts=(\S+)Z .*{event}", self.stack.log.read_text())][-1]
        return max(0, (at("event=control_started") - at('step="control: restarts')).total_seconds() - 1)

    def test_every_process_is_replaced_under_load_and_no_command_fails(self):
        before, epochs = self.pids(), [self.epoch(a) for a in self.agents]
        long_one = self.stack.holdfast_begin("exec", self.agents[0].id, "--", "sh", "-c",
                                             "sleep 8; echo through")
        self.addCleanup(long_one.kill)
        streams = [Stream(self.stack, agent) for agent in self.agents]
        for stream in streams:
            stream.start()
        try:
            wait_for(lambda: all(len(s.ended) > 2 for s in streams), 30, "no commands run")
            said = self.stack.dir / "roll.out"
            with open(said, "wb") as out:
                first = subprocess.Popen([BIN / "holdfastd", "--dir", self.stack.fleet, "roll"],
                                         env=self.stack.env(), stdout=out, stderr=out)
            self.addCleanup(first.kill)
            wait_for(lambda: said.read_text(), 10, "the roll does not begin")
            status, _, err = self.order("roll")
            self.assertEqual((status, err), (1, "holdfastd: a roll is under way\n"))
            status, _, err = self.order("reload")
            self.assertEqual((status, err), (1, "holdfastd: a roll is under way\n"))
            self.assertEqual(first.wait(timeout=ROLL_SECONDS), 0, said.read_text())
            time.sleep(2)  # what breaks after the end counts as well
        finally:
            for stream in streams:
                stream.stop()
        told = said.read_text().splitlines()
        self.assertEqual([re.sub(r"\d+ links", "N links", line) for line in told],
                         ["roll: 2 gateways, then control, then Redis",
                          "g0: new process starts", "g0: new process took over; N links move",
                          "g1: new process starts", "g1: new process took over; N links move",
                          "control: restarts", "redis: restarts", "rolled: every process is new"])
        for role, now in self.pids().items():
            self.assertEqual(len(now), len(before[role]), role)
            self.assertFalse(now & before[role], role)
        for agent, epoch in zip(self.agents, epochs):
            self.assertGreater(self.epoch(agent), epoch)  # else nobody moved, and nothing is shown
        for stream in streams:
            self.assertEqual(stream.failed, [])
            self.assertLessEqual(p99(stream.gaps()), MOST_GAP_SECONDS + self.starved(), stream.gaps())
        out, err = long_one.communicate(timeout=60)
        self.assertEqual(long_one.returncode, 0, err)
        self.assertEqual(json.loads(out)[0]["outcome"], "DONE")
        moved = sum(int(n) for n in re.findall(r"(\d+) links", "\n".join(told)))
        self.assertGreaterEqual(moved, 2)
        print(f"roll: {sum(len(s.ended) for s in streams)} commands, {moved} links moved, longest gap "
              f"{max(max(s.gaps()) for s in streams):.2f} s")

    def test_a_signal_does_the_same(self):
        before = self.pids()
        os.kill(self.stack.backend.pid, signal.SIGUSR2)
        wait_for(lambda: "event=roll_done" in self.stack.log.read_text(), ROLL_SECONDS,
                 lambda: self.stack.logs())
        self.assertFalse(self.pids()["gateway"] & before["gateway"])
        self.answers()

    def test_without_a_backend_it_says_so(self):
        self.stack.stop_backend()
        status, _, err = self.order("roll")
        self.assertEqual(status, 1)
        self.assertIn("no holdfastd runs on this directory", err)
        self.stack.start()
        self.stack.wait_online(*self.agents)


class ReloadTest(Orders):
    def setUp(self):
        self.text = self.config.read_text()
        self.stack.wait_online(*self.agents)
        self.epochs = [self.epoch(a) for a in self.agents]
        self.opened = self.stack.metrics()["holdfast_links_opened_total"]

    def tearDown(self):
        self.config.write_text(self.text)
        self.order("reload")

    def change(self, *keys):
        text = self.config.read_text()
        for key in keys:
            text = set_key(text, *key)
        self.config.write_text(text)

    def links_stayed(self):
        self.answers()
        self.assertEqual([self.epoch(a) for a in self.agents], self.epochs)

    def test_live_keys_change_and_others_are_named(self):
        self.change(("log", "level", "debug"), ("admission", "links_per_second", 100),
                    ("gateways", "count", 3), ("gateways", "max_links", 500),
                    ("redis", "max_memory_mib", 100), ("fleet", "name", "other"))
        status, told, err = self.order("reload")
        self.assertEqual(status, 0, err)
        self.assertEqual(told, [
            "needs a restart: fleet.name", "changed: gateways.count", "changed: gateways.max_links",
            "changed: admission.links_per_second", "needs a restart: redis.max_memory_mib",
            "changed: log.level", "reloaded"])
        wait_for(lambda: self.stack.metrics().get('holdfast_process_up{proc="g2"}') == 1,
                 SLACK_SECONDS, "no third gateway")
        self.links_stayed()
        self.assertEqual(self.stack.metrics()["holdfast_links_opened_total"], self.opened)
        # A restart is still needed, and still named.
        self.assertEqual(self.order("reload")[1],
                         ["needs a restart: fleet.name", "needs a restart: redis.max_memory_mib",
                          "reloaded"])
        # Gateways that are too many send their agents away first.
        self.change(("gateways", "count", 1))
        self.assertEqual(self.order("reload")[0], 0)
        wait_for(lambda: len(self.stack.processes("gateway")) == 1, ROLL_SECONDS,
                 lambda: f"{self.stack.processes('gateway')}\n{self.stack.logs()}")
        self.stack.wait_online(*self.agents)
        self.answers()

    def test_a_broken_file_is_refused_and_changes_nothing(self):
        self.config.write_text(self.text + '\n[log]\nlevel = "loud"\n' if "[log]" not in self.text
                               else set_key(self.text, "log", "level", "loud"))
        line = self.config.read_text().splitlines().index('level = "loud"') + 1
        where = f"{self.config}:{line}: log.level"
        status, _, err = self.order("reload")
        self.assertNotEqual(status, 0)
        self.assertIn(where, err)
        os.kill(self.stack.backend.pid, signal.SIGHUP)
        wait_for(lambda: "event=reload_refused" in self.stack.log.read_text(), SLACK_SECONDS,
                 lambda: self.stack.logs())
        self.assertIn(where, self.stack.log.read_text())
        self.links_stayed()
        # What dies now comes back with what holdfastd was started with.
        old = self.stack.processes("gateway") + self.stack.processes("control")
        for p in old:
            p.kill()
        wait_for(lambda: all(self.stack.metrics().get(f'holdfast_process_up{{proc="{slot}"}}') == 1
                             for slot in ("g0", "g1", "c0")), SLACK_SECONDS, "not all back")
        self.stack.wait_online(*self.agents)
        self.answers()

    def test_a_new_certificate_is_for_new_connections(self):
        served = lambda port: ssl.get_server_certificate(("127.0.0.1", port))
        ports = (self.stack.agent_port, self.stack.api_port)
        before = [served(port) for port in ports]
        other = self.stack.dir / "other"
        self.stack.run("holdfast", "init", "--dir", other, "--server", "wss://localhost:1")
        self.change(("tls", "cert", str(other / "server/tls/server.crt")),
                    ("tls", "key", str(other / "server/tls/server.key")))
        status, told, err = self.order("reload")
        self.assertEqual(status, 0, err)
        self.assertIn("changed: the certificate, for new connections", told)
        theirs = (other / "server/tls/server.crt").read_text()
        for port, old in zip(ports, before):
            wait_for(lambda p=port: served(p).split() == theirs.split()[:len(served(p).split())],
                     SLACK_SECONDS, "still the old certificate")
            self.assertNotEqual(served(port), old)
        self.assertEqual([self.epoch(a) for a in self.agents], self.epochs)
        self.assertEqual(self.stack.metrics()["holdfast_links"], 2)
        # A gateway that is started now has the new one as well.
        self.config.write_text(self.text)
        self.assertEqual(self.order("reload")[0], 0)
        self.assertEqual([served(port) for port in ports], before)
        self.links_stayed()

    def test_nothing_changed_is_fine(self):
        self.assertEqual(self.order("reload")[:2], (0, ["reloaded"]))
        self.links_stayed()


if __name__ == "__main__":
    main()
