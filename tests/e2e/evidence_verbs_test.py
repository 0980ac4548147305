#!/usr/bin/env python3
"""Memory, captures, YARA and the journal: what is only there while a machine runs."""
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

from harness import procs
from harness.case import AgentTest, main
from harness.procs import wait_for
from harness.stack import BIN

# Not built for every architecture.
needs_scanner = unittest.skipUnless((BIN / "holdfast-agent-yara").exists(), "built without YARA")


def blocks(data):
    """The blocks of a pcapng: (type, body). Each must be whole."""
    at, out = 0, []
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        assert size >= 12 and at + size <= len(data), "a block is cut"
        out.append((kind, data[at + 8:at + size - 4]))
        at += size
    return out


class EvidenceVerbsTest(AgentTest):
    @classmethod
    def set_up_agents(cls):
        super().set_up_agents()
        cls.files = cls.stack.dir / "files"
        cls.files.mkdir()

    def victim(self, script="read x", env=None):
        process = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env={"PATH": os.environ["PATH"], **(env or {})})
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def state(self, pid):
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rsplit(b")", 1)[1].split()[0].decode()

    # --- memdump -----------------------------------------------------------------------------------
    def test_a_dump_is_a_core_file_that_others_read(self):
        victim = self.victim(env={"MARK": "memdump-was-here"})
        answer = self.ask("memdump", victim.pid, "--no-files", "--stop", "-d", self.stack.dir / "into")
        self.assertEqual((answer["outcome"], answer["complete"]), ("DONE", True))
        self.assertTrue(answer["path"].endswith(f"/pid-{victim.pid}.core"), answer["path"])
        with open(answer["path"], "rb") as core:
            data = core.read()
        self.assertEqual(len(data), answer["size"])
        self.assertEqual(data[:4], b"\x7fELF")
        self.assertIn(b"MARK=memdump-was-here", data)
        self.assertEqual(self.state(victim.pid), "S")
        if shutil.which("readelf"):
            said = subprocess.run(["readelf", "-hln", answer["path"]], capture_output=True, text=True, check=True)
            self.assertIn("CORE (Core file)", said.stdout)
            self.assertIn("NT_PRSTATUS", said.stdout)
            self.assertEqual(said.stderr, "")
        second = self.ask("memdump", victim.pid, "--path", "[stack]", "-d", self.stack.dir / "into")
        self.assertTrue(second["path"].endswith(f"/pid-{victim.pid}.2.core"), second["path"])
        job = next(j for j in self.stack.holdfast("jobs").json() if j["verb"] == "memdump")
        self.assertIn(f"pid={victim.pid}", job["detail"])

    def test_the_regions_are_listed_and_chosen(self):
        victim = self.victim()
        rows = self.ask("memdump", victim.pid, "--list")["rows"]
        stack = next(r for r in rows if r["path"] == "[stack]")
        answer = self.ask("memdump", victim.pid, "--region", f"{stack['start']}-{stack['end']}",
                          "-d", self.stack.dir / "into")
        self.assertIn(f": 1 of {len(rows) - (rows[-1]['path'] == '[vsyscall]')} regions", answer["message"])
        self.stack.holdfast("memdump", self.agent.id, victim.pid, "--region", "stack", expect=2)

    def test_the_agents_own_memory_stays_its_own(self):
        for pid in (self.agent.process.pid, self.agent.children("link")[0].pid):
            self.fails("PERMISSION", ["belongs to the agent"], "memdump", pid)
        self.fails("NO_SUCH_PROCESS", [], "memdump", 2 ** 22 - 1)

    def test_a_stopped_process_goes_on_when_its_worker_is_killed(self):
        victim = self.victim("x=$(head -c 150000000 /dev/zero | tr '\\0' q); echo up; read y; echo on")
        self.assertEqual(victim.stdout.readline(), b"up\n")
        link = self.agent.children("link")[0].pid
        running = self.stack.holdfast_begin("memdump", self.agent.id, victim.pid, "--stop",
                                            "-d", self.stack.dir / "into")
        wait_for(lambda: self.state(victim.pid) == "t", 20, "it was never stopped")
        os.kill(link, signal.SIGSTOP)  # nothing is sent: the worker waits in the middle
        try:
            wait_for(lambda: self.tracer(victim.pid), 20, "nobody holds it")
            os.kill(self.tracer(victim.pid), signal.SIGKILL)
            victim.stdin.write(b"\n")
            victim.stdin.flush()
            self.assertEqual(victim.stdout.readline(), b"on\n")
        finally:
            os.kill(link, signal.SIGCONT)
        out = running.communicate(timeout=60)[0]
        self.assertEqual(running.returncode, 1)
        self.assertIn(b"WORKER_DIED", out)

    def test_a_cancelled_dump_leaves_the_process_running_and_no_child(self):
        for stop in ([], ["--stop"]):
            with self.subTest(stop=stop):
                victim = self.victim("x=$(head -c 150000000 /dev/zero | tr '\\0' q); echo up; read y; echo on")
                self.assertEqual(victim.stdout.readline(), b"up\n")
                link = self.agent.children("link")[0].pid
                readers = lambda: [p.pid for p in self.agent.children("worker") if self.reads_memory_of(p.pid, victim.pid)]
                running = self.stack.holdfast_begin("memdump", self.agent.id, victim.pid, *stop,
                                                    "-d", self.stack.dir / "into")
                (worker,) = wait_for(readers, 20, "nobody reads it", every=0.005)
                os.kill(link, signal.SIGSTOP)  # nothing is sent: it is cancelled in the middle
                try:
                    self.assertEqual(self.tracer(victim.pid), worker if stop else 0)
                    job = next(j["job"] for j in self.stack.holdfast("jobs").json() if j["verb"] == "memdump")
                    self.stack.holdfast("cancel", job, "--wait", "0")
                finally:
                    os.kill(link, signal.SIGCONT)
                wait_for(lambda: not os.path.exists(f"/proc/{worker}"), 30, "a worker is left")
                running.communicate(timeout=60)
                self.assertEqual(running.returncode, 1)
                self.assertEqual(self.stack.holdfast("results", job, "-d", self.stack.dir / "into", expect=1).json()[0]["outcome"], "CANCELLED")
                self.assertEqual((self.state(victim.pid), self.tracer(victim.pid)), ("S", 0))
                victim.stdin.write(b"\n")
                victim.stdin.flush()
                self.assertEqual(victim.stdout.readline(), b"on\n")

    def reads_memory_of(self, worker, pid):
        try:
            return f"/proc/{pid}/mem" in [os.readlink(fd) for fd in pathlib.Path(f"/proc/{worker}/fd").iterdir()]
        except OSError:
            return False  # a descriptor, or all of it, has gone meanwhile

    def tracer(self, pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("TracerPid:"))

    # --- memory ------------------------------------------------------------------------------------
    def test_memory_of_the_machine_comes_as_lime_or_says_why_not(self):
        if not os.path.exists("/proc/kcore"):
            self.fails("UNSUPPORTED", ["/proc/kcore"], "memory", "-d", self.stack.dir / "into")
            return
        answer = self.ask("memory", "--max-bytes", "1000000", "-d", self.stack.dir / "into", status=1)
        if answer["failure"] == "OUTPUT_LIMIT":
            self.assertTrue(answer["path"].endswith("/memory.lime.part"), answer["path"])
            with open(answer["path"], "rb") as part:
                self.assertEqual(part.read(4), b"EMiL")
        else:
            self.assertIn(answer["failure"], ("PERMISSION", "UNSUPPORTED"))

    # --- capture -----------------------------------------------------------------------------------
    def speak(self):
        """Sends UDP over loopback until the test ends."""
        over = threading.Event()

        def send():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                while not over.wait(0.005):
                    out.sendto(b"capture-me" * 10, ("127.0.0.1", 9))
        thread = threading.Thread(target=send)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)

    def test_a_capture_is_pcapng_of_what_the_filter_lets_through(self):
        self.speak()
        answer = self.ask("capture", "-i", "lo", "--filter", "udp port 9", "--packets", "15",
                          "-d", self.stack.dir / "into")
        self.assertEqual((answer["outcome"], answer["complete"]), ("DONE", True))
        self.assertIn("15 packets", answer["message"])
        with open(answer["path"], "rb") as capture:
            data = capture.read()
        self.assertEqual(sum(1 for kind, _ in blocks(data) if kind == 6), 15)
        self.assertIn(b"capture-me", data)
        job = next(j for j in self.stack.holdfast("jobs").json() if j["verb"] == "capture")
        self.assertIn('filter="udp port 9"', job["detail"])

    def test_the_agents_own_link_is_left_out(self):
        port = self.stack.agent_port
        answer = self.ask("capture", "-i", "lo", "--filter", f"tcp port {port}", "--seconds", "3",
                          "-d", self.stack.dir / "into")
        self.assertIn("0 packets", answer["message"])
        self.assertNotIn(" 0 of the agent's own link", answer["message"])

    def test_a_capture_goes_to_a_pipe_as_it_comes_and_ends_with_it(self):
        self.speak()
        with self.stack.holdfast_begin("capture", self.agent.id, "-i", "lo", "--filter", "udp port 9", "-o", "-",
                                       output=None) as running:
            self.assertEqual(running.stdout.read(4), b"\x0a\x0d\x0d\x0a")
            self.assertTrue(running.stdout.read(2000))
            running.stdout.close()
            running.wait(timeout=60)

        def ended():
            return [j for j in self.stack.holdfast("jobs").json()
                    if j["verb"] == "capture" and "duration_ms=3600000" in j["detail"] and j["ended"] == 1]
        wait_for(ended, 30, "the capture goes on")
        self.stack.holdfast("ps", self.agent.id, "-o", "-", output=None, expect=2)
        self.stack.holdfast("capture", self.agent.id, "--filter", "prot 53", expect=2)

    # --- scan --------------------------------------------------------------------------------------
    def rules(self, text):
        path = self.stack.dir / "rules.yar"
        path.write_text(text)
        return path

    @needs_scanner
    def test_a_scan_finds_files_and_processes_by_rules(self):
        shell = self.files / "shell\n.php"
        shell.write_text("<?php eval($_POST['needle-in-hay']);")
        victim = self.victim(env={"MARK": "needle-in-hay"})
        rules = self.rules('rule webshell : web { meta: level = 3 strings: $a = "needle-in-hay" condition: $a }')
        answer = self.ask("scan", self.files, "--rules", rules, "--pid", victim.pid)
        self.assertEqual(answer["outcome"], "DONE")
        row = next(r for r in answer["rows"] if r["path"] == str(shell))
        self.assertEqual((row["rule"], row["tags"], row["meta"], row["string"], row["pid"]),
                         ("webshell", "web", "level=3", "$a", None))
        self.assertEqual(bytes.fromhex(row["data"]), b"needle-in-hay")
        self.assertTrue([r for r in answer["rows"] if r["pid"] == victim.pid])
        self.fails("BAD_ARGUMENT", ["rules: line"], "scan", self.files, "--rules", self.rules("rule x {"))
        self.stack.holdfast("scan", self.agent.id, "--rules", rules, expect=2)

    @needs_scanner
    def test_a_cancelled_scan_leaves_no_scanner(self):
        (self.files / "small").write_text("x")
        bomb = self.rules("rule bomb { condition: for all i in (1..100000000000) : (i > 0) }")
        job = self.stack.holdfast("scan", self.agent.id, self.files / "small", "--rules", bomb, "--wait", "0",
                                  output=None).text.split()[0]
        scanners = lambda: [p for p in procs.descendants(self.agent.process.pid)
                            if self.command(p.pid).startswith("holdfast-agent-yara")]
        wait_for(scanners, 30, "no scanner")
        self.stack.holdfast("cancel", job)
        wait_for(lambda: not scanners(), 20, "a scanner is left")
        self.assertEqual(self.stack.holdfast("results", job, "-d", self.stack.dir / "into", expect=1).json()[0]["outcome"], "CANCELLED")

    def scanner(self):
        """The module while it works, once it has used its first burst."""
        found = []

        def is_busy():
            found[:] = [p for p in procs.descendants(self.agent.process.pid)
                        if self.command(p.pid).startswith("holdfast-agent-yara") and p.cpu_seconds() > 0.25]
            return len(found) == 1
        wait_for(is_busy, 60, "no scanner computes")
        return found[0]

    def share_of_scanner(self, begun, seconds=4):
        """CPU that it takes of a second; the command is cancelled then."""
        scanner = self.scanner()
        began, before = time.monotonic(), scanner.cpu_seconds()
        time.sleep(seconds)
        share = (scanner.cpu_seconds() - before) / (time.monotonic() - began)
        polite = os.getpriority(os.PRIO_PROCESS, scanner.pid)
        self.stack.holdfast("cancel", self.stack.holdfast("jobs").json()[0]["job"])
        begun.communicate(timeout=30)
        return share, polite

    BOMB = "rule bomb { condition: for all i in (1..100000000000) : (i > 0) }"

    @needs_scanner
    def test_a_long_scan_takes_a_tenth_of_a_core(self):
        (self.files / "small").write_text("x")
        begun = self.stack.holdfast_begin("scan", self.agent.id, self.files / "small",
                                          "--rules", self.rules(self.BOMB))
        share, polite = self.share_of_scanner(begun)
        self.assertLess(share, 0.1 + 0.05)  # the rest of the burst, and ticks of 10 ms
        self.assertEqual(polite, 10)

    @needs_scanner
    def test_a_scan_that_may_take_a_core_takes_more(self):
        (self.files / "small").write_text("x")
        begun = self.stack.holdfast_begin("scan", self.agent.id, self.files / "small",
                                          "--rules", self.rules(self.BOMB), "--cpu", "100")
        share, polite = self.share_of_scanner(begun)
        self.assertGreater(share, 0.2)  # of a machine that others use too
        self.assertNotEqual(polite, 10)

    @needs_scanner
    def test_a_query_with_rules_takes_a_tenth_of_a_core_and_its_cancel_leaves_no_scanner(self):
        (self.files / "small").write_text("x")
        begun = self.stack.holdfast_begin("query", self.agent.id, "SELECT * FROM yara_file WHERE "
                                          f"path = '{self.files}/small' AND sigrule = '{self.BOMB}'")
        self.assertLess(self.share_of_scanner(begun)[0], 0.15)
        wait_for(lambda: not [p for p in procs.descendants(self.agent.process.pid)
                              if self.command(p.pid).startswith("holdfast-agent-yara")], 20, "a scanner is left")

    @needs_scanner
    def test_a_query_asks_yara_and_libmagic(self):
        (self.files / "hay").write_text("needle-in-hay\n")
        rule = 'rule n { strings: $a = "needle-in-hay" condition: $a }'
        (self.stack.dir / "on-endpoint.yar").write_text(rule)
        for by in (f"sigrule = '{rule}'", f"sigfile = '{self.stack.dir}/on-endpoint.yar'"):
            rows = self.ask("query", "SELECT y.path, y.matches, y.strings, m.mime_type FROM yara_file y JOIN magic m "
                                     f"ON m.path = y.path WHERE y.path = '{self.files}/hay' AND y.{by}")["rows"]
            self.assertEqual(rows, [{"path": f"{self.files}/hay", "matches": "n", "strings": "$a:0",
                                     "mime_type": "text/plain"}])
        victim = self.victim(env={"MARK": "needle-in-hay"})
        rows = self.ask("query", "SELECT p.pid, y.count FROM processes p JOIN yara_process y ON y.pid = p.pid WHERE "
                                 f"p.pid = {victim.pid} AND y.sigrule = '{rule}'")["rows"]
        self.assertEqual(rows, [{"pid": victim.pid, "count": 1}])
        self.fails("SQL", ["rules: line"], "query", "SELECT * FROM yara_file WHERE path = '/etc/passwd' AND "
                                                      "sigrule = 'rule x {'")
        self.fails("SQL", ["needs rules"], "query", "SELECT * FROM yara_process WHERE pid = 2")

    @staticmethod
    def command(pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as words:
                return words.read().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            return ""

    # --- tail --journal ----------------------------------------------------------------------------
    def test_the_journal_comes_as_lines_or_it_says_that_there_is_none(self):
        there = [p for d in ("/var/log/journal", "/run/log/journal") if os.path.isdir(d) for p in os.listdir(d)]
        if there:
            self.assertEqual(self.ask("tail", "--journal", "-n", "5")["outcome"], "DONE")
        else:
            self.fails("UNSUPPORTED", ["no journal"], "tail", "--journal", "-n", "5")
        self.stack.holdfast("tail", self.agent.id, "/x", "--journal", expect=2)
        self.stack.holdfast("tail", self.agent.id, "--journal", "--priority", "loud", expect=2)


if __name__ == "__main__":
    main()
