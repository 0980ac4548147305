#!/usr/bin/env python3
"""The README's five minutes, command for command, as a newcomer types them.

Every command of the tour runs in one shell, with the built programs in the path, a home of its own and a
network of its own; what it prints is compared with what the README shows. What differs from run to run
and from machine to machine (ids, hashes, times, sizes, the operating system) is compared by shape.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import loopback  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", ROOT / "build/dev/bin")).resolve()
COMMAND_SECONDS = 60
# Until control has heard that a link ended: a newcomer types slower.
NOTICED_SECONDS = 0.5
# What was started in the background has begun when a newcomer types on: the log says so.
BEGUN = ("event=ready", "event=link_open")
MARK = "--- end of what it printed ---"
# Lists of files and of this machine's system: only the first line, and that something follows.
BY_HEAD_ONLY = ("$ holdfast ls", "$ holdfast agents")

HEX = r"\b[0-9a-f]{12,}\b"
SHAPES = (
    (HEX, "HEX"),
    (r"\b\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?( UTC)?)?", "TIME"),
    (r"\b[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ [\d:]{8}( [AP]M)? UTC \d{4}", "TIME"),
    (r"\b\d+ B\b", "SIZE"),
    (r"\b\d+ records\b", "RECORDS"),
    (r"\s+", " "),
)


def tour():
    """[(command, lines it prints)] of the section."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## Five minutes"):text.index("## Where to read on")]
    steps = []
    for block in re.findall(r"^```\n(.*?)^```$", section, re.M | re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line, []))
            else:
                steps[-1][1].append(line)
    return steps


def shape(line, home):
    line = line.replace(home, "HOME").replace("/home/ada", "HOME")
    for pattern, word in SHAPES:
        line = re.sub(pattern, word, line)
    return line.strip()


class ReadmeTest(unittest.TestCase):
    def setUp(self):
        self.ids = {}
        self.begun = {}
        self.place = tempfile.TemporaryDirectory(prefix="holdfast-readme-")
        home = pathlib.Path(self.place.name)
        (home / "holdfast/build/release").mkdir(parents=True)
        (home / "holdfast/build/release/bin").symlink_to(BIN)
        self.home = str(home)
        kept = ("PATH", "LANG", "LC_ALL")
        env = {k: os.environ[k] for k in kept if k in os.environ} | {"HOME": self.home, "TZ": "UTC",
                                                                    "LC_TIME": "C"}
        # Its own network: the tour uses the default ports. Its own host name: the README's.
        start = f"python3 -c '{loopback.UP}' && hostname vm && exec bash --norc --noprofile"
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        self.shell = subprocess.Popen(
            ["unshare", *user, "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc",
             "sh", "-c", start],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=env, cwd=self.home, start_new_session=True)
        self.type("set -m")  # jobs, as in a shell at a terminal

    def tearDown(self):
        os.killpg(self.shell.pid, signal.SIGKILL)
        self.shell.wait(10)
        self.shell.stdin.close()
        self.shell.stdout.close()
        self.place.cleanup()

    def type(self, command):
        """What it prints until the next prompt."""
        self.shell.stdin.write(f"{command}\necho '{MARK}'\n")
        self.shell.stdin.flush()
        signal.signal(signal.SIGALRM, self.too_long)
        signal.alarm(COMMAND_SECONDS)
        lines = []
        for line in self.shell.stdout:
            if line.rstrip("\n") == MARK:
                break
            # Of a shell with job control: "[1] 4711", "[2]+  Done ...".
            if not re.match(r"\[\d+\]", line):
                lines.append(line.rstrip("\n"))
        signal.alarm(0)
        return lines

    def too_long(self, *_):
        raise AssertionError(f"nothing came within {COMMAND_SECONDS} s")

    def wait_until_it_runs(self, command):
        begun = sum(self.begun.values()) + 1
        log = pathlib.Path(self.home) / "holdfast-tour" / re.search(r"2>+(\S+)", command)[1]
        end = time.monotonic() + COMMAND_SECONDS
        while sum(self.begun.values()) < begun:
            self.assertLess(time.monotonic(), end, f"{command}: {log} does not say that it runs")
            time.sleep(0.05)
            text = log.read_text(encoding="utf-8") if log.exists() else ""
            self.begun[log.name] = sum(text.count(word) for word in BEGUN)

    def learn(self, shown, printed):
        """Which id of this run stands where the README has one of its own."""
        for ours, theirs in zip(printed, shown):
            self.ids |= dict(zip(re.findall(HEX, theirs), re.findall(HEX, ours)))

    def translate(self, command):
        def known(match):
            whole = next((theirs for theirs in self.ids if theirs.startswith(match[0])), None)
            return self.ids[whole][:len(match[0])] if whole else match[0]
        return re.sub(HEX, known, command)

    def compare(self, command, shown, printed):
        shown = [shape(line, self.home) for line in shown]
        printed = [shape(line, self.home) for line in printed]
        if command.startswith(BY_HEAD_ONLY):
            self.assertGreater(len(printed), 1, command)
            shown, printed = shown[:1], printed[:1]
        if "..." in shown:  # left out in the README
            cut = shown.index("...")
            shown, printed = shown[:cut], printed[:cut]
        self.assertEqual(sorted(printed) if "SELECT" in command else printed,
                         sorted(shown) if "SELECT" in command else shown, command)

    def test_every_command_of_the_tour_prints_what_the_readme_shows(self):
        steps = tour()
        self.assertGreater(len(steps), 20)
        for command, shown in steps:
            with self.subTest(command=command):
                printed = self.type(self.translate(command.removeprefix("$ ")))
                shown = [line for line in shown if line.strip()]
                printed = [line for line in printed if line.strip()]
                self.learn(shown, printed)
                self.compare(command, shown, printed)
            if command.endswith("&"):
                self.wait_until_it_runs(command)
            if command.startswith("$ kill %"):
                self.type("wait " + command.split()[2])
                time.sleep(NOTICED_SECONDS)
        self.assertFalse((pathlib.Path(self.home) / "holdfast-tour").exists())
        self.assertEqual(self.type("grep -l holdfast /proc/[0-9]*/comm"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
