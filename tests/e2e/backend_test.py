#!/usr/bin/env python3
"""holdfastd as a service: what it says when it cannot start, and what it does when a part of it dies."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import BIN, free_ports

SILENCE_SECONDS = 15  # a child that says nothing for so long is killed
SLACK_SECONDS = 10    # a busy machine


class BackendTest(StackTest):
    gateways = 2

    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    def holdfastd(self, *argv, seconds=20):
        done = subprocess.run([BIN / "holdfastd", *map(str, argv)], env=self.stack.env(),
                              capture_output=True, timeout=seconds, stdin=subprocess.DEVNULL,
                              check=False)
        return done.returncode, done.stderr.decode(), done.stdout.decode()

    def config(self, change):
        """A changed copy of the configuration, beside the original: paths stay true."""
        original = self.stack.fleet / "server/holdfastd.toml"
        copy = original.with_name(f"copy-{time.monotonic_ns()}.toml")
        copy.write_text(change(original.read_text()))
        self.addCleanup(copy.unlink)
        return copy

    def health(self):
        try:
            with urllib.request.urlopen(self.stack.admin_url("/healthz"), timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as why:
            return why.code, why.read().decode()

    def answers(self):
        answer = self.stack.holdfast("query", self.agent.id, "SELECT 1 AS one").json()[0]
        self.assertEqual(answer["outcome"], "DONE")

    def other(self, role, old):
        """A process of this role that is none of the old ones."""
        pids = {p.pid for p in old}
        wait_for(lambda: [p for p in self.stack.processes(role) if p.pid not in pids],
                 SLACK_SECONDS, lambda: f"no new {role}\n{self.stack.logs()}")

    # --- starting --------------------------------------------------------------------------------
    def test_help_and_version_say_what_it_is(self):
        status, _, out = self.holdfastd("--help")
        self.assertEqual(status, 0)
        self.assertIn("holdfastd --dir D", out)
        self.assertNotIn("--slot", out)
        status, _, out = self.holdfastd("--version")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"^holdfastd \d+\.\d+\.\d+\n$")

    def test_wrong_usage_ends_with_status_2(self):
        for argv in ((), ("--dri", "x"), ("--dir", "/nonexistent")):
            status, err, _ = self.holdfastd(*argv)
            self.assertEqual(status, 2, argv)
            self.assertTrue(err.startswith("holdfastd: "), err)

    def test_check_config_names_file_line_and_key(self):
        good = self.config(lambda text: text)
        self.assertEqual(self.holdfastd("check-config", "--config", good)[0], 0)
        bad = self.config(lambda text: "[log]\nlevel = \"loud\"\n" + text)
        status, err, _ = self.holdfastd("check-config", "--config", bad)
        self.assertEqual(status, 2)
        self.assertIn(f"{bad}:2: log.level: must be", err)
        near = self.config(lambda text: re.sub(r"(?m)^cert =", "certt =", text))
        self.assertIn('did you mean "tls.cert"?', self.holdfastd("check-config", "--config", near)[1])
        gone = self.config(lambda text: text.replace("tls/server.crt", "tls/gone.crt"))
        self.assertIn("tls/gone.crt", self.holdfastd("check-config", "--config", gone)[1])

    def test_a_second_one_on_the_same_state_is_refused(self):
        status, err, _ = self.holdfastd("--dir", self.stack.fleet)
        self.assertEqual(status, 1)
        self.assertIn("another holdfastd uses", err)
        self.assertIn(str(self.stack.backend.pid), err)
        self.answers()

    def test_a_port_that_is_taken_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            ports = iter((port, *free_ports(2)))
            copy = self.config(lambda text: re.sub(
                r'(?m)^listen = ".*"$', lambda _: f'listen = "127.0.0.1:{next(ports)}"',
                text.replace('"state"', '"other-state"')))
            status, err, _ = self.holdfastd("--config", copy)
        self.assertEqual(status, 1)
        self.assertIn(f"agents.listen: 127.0.0.1:{port}: Address already in use", err)
        self.assertIn("change agents.listen in", err)

    # --- a part dies -----------------------------------------------------------------------------
    def test_a_killed_gateway_is_replaced_and_its_agents_come_back(self):
        # The test before this one may have left one that is just being replaced.
        wait_for(lambda: len(self.stack.processes("gateway")) == 2, SLACK_SECONDS, "not two")
        old = self.stack.processes("gateway")
        for p in old:
            p.kill()
        self.other("gateway", old)
        wait_for(lambda: len(self.stack.processes("gateway")) == 2, SLACK_SECONDS, "not two again")
        self.stack.wait_online(self.agent)
        self.answers()
        self.assertGreaterEqual(self.stack.metrics()["holdfast_process_restarts"], 2)

    def test_health_says_what_is_missing(self):
        self.assertEqual(self.health(), (200, "ok\n"))
        seen = []
        stop = threading.Event()

        def watch():
            while not stop.is_set():
                seen.append(self.health())
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            for p in self.stack.processes("control"):
                p.kill()
            wait_for(lambda: any(status == 503 for status, _ in seen), SLACK_SECONDS,
                     lambda: f"never 503: {set(seen)}")
            wait_for(lambda: self.health()[0] == 200, SLACK_SECONDS, "not well again")
        finally:
            stop.set()
            watcher.join()
        self.assertIn((503, "control: not ready\n"), seen)
        self.answers()

    def test_a_frozen_gateway_is_killed_and_replaced(self):
        victim = self.stack.processes("gateway")[0]
        os.kill(victim.pid, signal.SIGSTOP)
        wait_for(lambda: not victim.alive(), SILENCE_SECONDS + SLACK_SECONDS, "still frozen")
        self.other("gateway", [victim])
        self.stack.wait_online(self.agent)
        self.answers()

    def test_nothing_of_it_but_gateways_outlives_a_killed_supervisor(self):
        children = [p for role in ("control", "redis") for p in self.stack.processes(role)]
        self.assertEqual(len(children), 2)
        os.kill(self.stack.backend.pid, signal.SIGKILL)
        self.stack.backend.wait()
        wait_for(lambda: not any(p.alive() for p in children), SLACK_SECONDS,
                 lambda: f"left: {[p for p in children if p.alive()]}")
        self.stack.start()
        self.stack.wait_online(self.agent, seconds=60)
        self.answers()

    def test_the_ready_file_tells_where_it_serves(self):
        ready = pathlib.Path(self.stack.fleet / "server/state/run/ready").read_text()
        self.assertIn(f":{self.stack.agent_port}\n", ready)
        self.assertIn(f"api=127.0.0.1:{self.stack.api_port}\n", ready)


if __name__ == "__main__":
    main()
