#!/usr/bin/env python3
"""`holdfastd scale N`: more and fewer gateways while commands run, and links that spread over them by themselves."""
import json
import re
import signal
import socket
import subprocess
import threading
import time

from harness import procs
from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import BIN, set_key

AGENTS = 100        # enrolled at 80 a second: control takes 100
ORDER_SECONDS = 60
SPREAD_SECONDS = 30  # 5 s of calm and 1 s to move, on a machine that has better to do
DESCRIPTORS = 1024


class Stream(threading.Thread):
    """One command after the other to agents in turn, until it is stopped."""

    def __init__(self, stack):
        super().__init__()
        self.stack, self.enough = stack, threading.Event()
        self.count, self.failed = 0, []

    def run(self):
        while not self.enough.is_set():
            name = f"sim-{self.count % AGENTS:06}"
            reply = self.stack.holdfast("query", name, "SELECT 1", expect=None)
            self.count += 1
            try:
                good = reply.status == 0 and reply.json()[0]["outcome"] == "DONE"
            except AssertionError:
                good = False
            if not good:
                self.failed.append(str(reply))

    def stop(self):
        self.enough.set()
        self.join()


class ScaleTest(StackTest):
    descriptors = DESCRIPTORS

    @classmethod
    def set_up_agents(cls):
        bundle = cls.stack.bundle("--uses", str(AGENTS))
        cls.fleet = subprocess.Popen(
            [BIN / "holdfast-fleet", "--bundle", bundle, "--agents", str(AGENTS), "--source-base", "127.1.0.0",
             "--ramp", "80", "--json"], env=cls.stack.env(), stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, preexec_fn=procs.end_with_parent)
        cls.addClassCleanup(cls.end_fleet)
        cls.config = cls.stack.fleet / "server/holdfastd.toml"
        wait_for(lambda: sum(cls.links()) == AGENTS, 60, lambda: f"links: {cls.links()}")

    @classmethod
    def end_fleet(cls):
        """Orderly, as after Ctrl-C; the report."""
        if cls.fleet.poll() is None:
            cls.fleet.send_signal(signal.SIGINT)
        out, _ = cls.fleet.communicate(timeout=30)
        return json.loads(out) if out else None

    @classmethod
    def links(cls):
        """Of each gateway, in the order of their slots."""
        metrics = cls.stack.metrics()
        found = {int(name.split('"')[1][1:]): int(value) for name, value in metrics.items()
                 if name.startswith('holdfast_links{proc="g')}
        return [found[slot] for slot in sorted(found)]

    def order(self, *words, seconds=ORDER_SECONDS):
        done = subprocess.run([BIN / "holdfastd", "--dir", self.stack.fleet, *words], env=self.stack.env(),
                              capture_output=True, timeout=seconds, text=True, stdin=subprocess.DEVNULL,
                              check=False)
        return done.returncode, done.stdout.splitlines(), done.stderr

    def scaled(self, count):
        status, told, err = self.order("scale", str(count))
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(told[-1], f"scaled: {count}")
        return told

    def raw(self, words):
        """What the order's socket answers to these bytes."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(self.stack.fleet / "server/state/run/order.sock"))
            s.sendall(words)
            try:
                return b"".join(iter(lambda: s.recv(4096), b"")).decode()
            except ConnectionResetError:  # it did not read all of it
                return ""

    def test_1_what_cannot_be_is_refused_and_changes_nothing(self):
        before = [p.pid for p in self.stack.processes("gateway")]
        for words in (["0"], ["257"], ["-1"], ["many"], ["2x"], ["99999999999999999999"], ["1.5"]):
            status, told, err = self.order("scale", *words)
            self.assertEqual((status, told, err),
                             (2, [], "holdfastd: the number of gateways must be from 1 to 256\n"), words)
        for words in ([], ["3", "4"]):
            status, told, _ = self.order("scale", *words)
            self.assertEqual((status, told), (2, []), words)
        wrong = "1 the number of gateways must be from 1 to 256\n"
        for word, answer in ((b"scale 0\n", wrong), (b"scale x\n", wrong), (b"scale \n", wrong),
                             (b"scale 3 \n", wrong), (b"scale 99999999999999999999\n", wrong),
                             (b"scale\n", "1 unknown order: of another version?\n"),
                             (b"scale 3" + b" " * 40, "")):
            self.assertEqual(self.raw(word), answer, word)
        self.assertEqual(self.order("scale", "97")[2],
                         "holdfastd: descriptors allow no more than 96 gateways (ulimit -Hn)\n")
        self.assertEqual([p.pid for p in self.stack.processes("gateway")], before)
        self.assertEqual(self.order("scale", "1")[:2], (0, ["there are as many already: 1"]))

    def test_2_gateways_that_do_not_come_up_leave_all_as_it_was(self):
        policy = self.stack.fleet / "server/policy.env"
        aside = policy.with_suffix(".aside")
        policy.rename(aside)
        try:
            status, told, err = self.order("scale", "2")
        finally:
            aside.rename(policy)
        self.assertEqual((status, err), (1, "holdfastd: a new gateway ended; 1 gateway, as before\n"))
        self.assertEqual(told, ["scale: from 1 to 2", "g1: new process starts"])
        wait_for(lambda: len(self.stack.processes("gateway")) == 1, 10, "not one gateway")
        self.assertEqual(sum(self.links()), AGENTS)

    def test_3_links_spread_over_more_and_fewer_gateways_while_commands_run(self):
        stream = Stream(self.stack)
        stream.start()
        try:
            self.grow()
            self.keeps_its_number()
            self.shrink()
            time.sleep(1)  # what breaks after the end counts as well
        finally:
            stream.stop()
        self.assertEqual(stream.failed, [])
        self.assertGreater(stream.count, 20)
        report = self.end_fleet()
        self.assertEqual(report["ends"], {"agent_stopping": AGENTS, "going_away": self.moved})
        self.assertEqual(report["welcomes"], AGENTS + self.moved)
        print(f"scale: {stream.count} commands, {self.moved} moves of {AGENTS} links")

    def grow(self):
        self.assertEqual(self.scaled(2), [
            "scale: from 1 to 2", "g1: new process starts",
            "2 gateways until holdfastd ends; then gateways.count (1) counts: to keep them, set count = 2 under "
            f"[gateways] in {self.config}", "scaled: 2"])
        wait_for(lambda: sum(self.links()) == AGENTS and max(self.links()) <= AGENTS // 2 + 1, SPREAD_SECONDS,
                 lambda: f"links: {self.links()}\n{self.stack.logs()}")
        metrics = self.stack.metrics()
        self.moved = int(metrics["holdfast_links_shed_total"])
        self.assertEqual(self.moved, AGENTS // 2)  # the new one's share, and not one more
        self.assertLessEqual(metrics["holdfast_links_balance"], 1.01)
        self.assertEqual(self.stack.log.read_text().count("event=rebalance "), 1)

    def reload(self, max_links):
        self.config.write_text(set_key(self.config.read_text(), "gateways", "max_links", max_links))
        status, told, err = self.order("reload")
        self.assertEqual((status, told[0]), (0, "changed: gateways.max_links"), err)
        self.assertIn("2 gateways until holdfastd ends", told[1])
        self.assertEqual(told[2:], ["reloaded"])

    def keeps_its_number(self):
        self.reload(AGENTS - 1)
        self.assertEqual(self.order("scale", "1")[2],
                         f"holdfastd: 1 gateway cannot hold the {AGENTS} links that are open ({AGENTS - 1} each); "
                         "at least 2 can\n")
        before = {p.pid for p in self.stack.processes("gateway")}
        rolls = subprocess.Popen([BIN / "holdfastd", "--dir", self.stack.fleet, "roll"], env=self.stack.env(),
                                 stdout=subprocess.PIPE, text=True)
        with rolls:
            self.assertIn("2 gateways", rolls.stdout.readline())
            self.assertEqual(self.order("scale", "1")[2], "holdfastd: a roll is under way\n")
            told = rolls.stdout.read()
        self.assertEqual(rolls.returncode, 0, told)
        after = {p.pid for p in self.stack.processes("gateway")}
        self.assertEqual(len(after), 2)
        self.assertFalse(after & before)
        wait_for(lambda: sum(self.links()) == AGENTS, 10, lambda: f"links: {self.links()}")
        moved = sum(int(n) for n in re.findall(r"(\d+) links move", told))
        self.assertLessEqual(moved, AGENTS + 4)  # each once; the last of one may land on the next to go
        self.moved += moved
        self.reload(0)

    def shrink(self):
        leave = self.links()[1]
        told = self.scaled(1)
        self.assertEqual(told[:2], ["scale: from 2 to 1", f"g1: drains; {leave} links move"])
        self.assertEqual(len(told), 3)  # as the file says: nothing to keep
        self.assertEqual(len(self.stack.processes("gateway")), 1)
        wait_for(lambda: sum(self.links()) == AGENTS, 10, lambda: f"links: {self.links()}")
        self.moved += leave

    def test_4_without_a_backend_it_says_so(self):
        self.stack.stop_backend()
        status, _, err = self.order("scale", "3")
        self.assertEqual(status, 1)
        self.assertIn("no holdfastd runs on this directory", err)


if __name__ == "__main__":
    main()
