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
from harness.stack import BIN

AGENTS = 200        # enrolled at 80 a second: control takes 100
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
    gateways = 2
    keys = (("gateways", "max_links", 150),)
    descriptors = DESCRIPTORS

    @classmethod
    def set_up_agents(cls):
        bundle = cls.stack.bundle("--uses", str(AGENTS))
        cls.fleet = subprocess.Popen(
            [BIN / "holdfast-fleet", "--bundle", bundle, "--agents", str(AGENTS), "--source-base", "127.1.0.0",
             "--ramp", "80", "--json"], env=cls.stack.env(), stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, preexec_fn=procs.end_with_parent)
        cls.addClassCleanup(cls.end_fleet)
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
        self.assertEqual(self.order("scale", "1")[2],
                         f"holdfastd: 1 gateway cannot hold the {AGENTS} links that are open (150 each); "
                         "at least 2 can\n")
        self.assertEqual(self.order("scale", "97")[2],
                         "holdfastd: descriptors allow no more than 96 gateways (ulimit -Hn)\n")
        self.assertEqual([p.pid for p in self.stack.processes("gateway")], before)
        self.assertEqual(self.order("scale", "2")[:2], (0, ["there are as many already: 2"]))

    def test_2_gateways_that_do_not_come_up_leave_all_as_it_was(self):
        policy = self.stack.fleet / "server/policy.env"
        aside = policy.with_suffix(".aside")
        policy.rename(aside)
        try:
            status, told, err = self.order("scale", "3")
        finally:
            aside.rename(policy)
        self.assertEqual((status, err), (1, "holdfastd: a new gateway ended; 2 gateways, as before\n"))
        self.assertEqual(told, ["scale: 2 gateways, then 3", "g2: new process starts"])
        wait_for(lambda: len(self.stack.processes("gateway")) == 2, 10, "not two gateways")
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
        self.assertEqual(self.scaled(3), [
            "scale: 2 gateways, then 3", "g2: new process starts",
            "3 gateways until holdfastd ends; then gateways.count (2) counts: to keep them, set count = 3 under "
            f"[gateways] in {self.stack.fleet}/server/holdfastd.toml", "scaled: 3"])
        wait_for(lambda: sum(self.links()) == AGENTS and max(self.links()) - min(self.links()) <= 2, SPREAD_SECONDS,
                 lambda: f"links: {self.links()}\n{self.stack.logs()}")
        metrics = self.stack.metrics()
        self.moved = int(metrics["holdfast_links_shed_total"])
        self.assertEqual(self.moved, 2 * (AGENTS // 2 - 67))  # down to a third, rounded up, and no more
        self.assertLessEqual(metrics["holdfast_links_balance"], 1.02)
        self.assertEqual(self.stack.log.read_text().count("event=rebalance "), 2)

    def keeps_its_number(self):
        status, told, _ = self.order("reload")
        self.assertEqual((status, told[1:]), (0, ["reloaded"]))
        self.assertIn("3 gateways until holdfastd ends", told[0])
        before = {p.pid for p in self.stack.processes("gateway")}
        rolls = subprocess.Popen([BIN / "holdfastd", "--dir", self.stack.fleet, "roll"], env=self.stack.env(),
                                 stdout=subprocess.PIPE, text=True)
        with rolls:
            self.assertIn("3 gateways", rolls.stdout.readline())
            self.assertEqual(self.order("scale", "2")[2], "holdfastd: a roll is under way\n")
            told = rolls.stdout.read()
        self.assertEqual(rolls.returncode, 0, told)
        after = {p.pid for p in self.stack.processes("gateway")}
        self.assertEqual(len(after), 3)
        self.assertFalse(after & before)
        wait_for(lambda: sum(self.links()) == AGENTS, 10, lambda: f"links: {self.links()}")
        moved = sum(int(n) for n in re.findall(r"(\d+) links move", told))
        self.assertLessEqual(moved, AGENTS + 4)  # each once; the last of one may land on the next to go
        self.moved += moved

    def shrink(self):
        leave = self.links()[2]
        told = self.scaled(2)
        self.assertEqual(told[:2], ["scale: 3 gateways, then 2", f"g2: drains; {leave} links move"])
        self.assertEqual(len(told), 3)  # as the file says: nothing to keep
        self.assertEqual(len(self.stack.processes("gateway")), 2)
        wait_for(lambda: sum(self.links()) == AGENTS, 10, lambda: f"links: {self.links()}")
        self.assertLessEqual(max(self.links()) - min(self.links()), 2)
        self.moved += leave

    def test_4_without_a_backend_it_says_so(self):
        self.stack.stop_backend()
        status, _, err = self.order("scale", "3")
        self.assertEqual(status, 1)
        self.assertIn("no holdfastd runs on this directory", err)


if __name__ == "__main__":
    main()
