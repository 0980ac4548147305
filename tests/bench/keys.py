#!/usr/bin/env python3
"""./dev bench pty: how long a key takes to come back, and how fast a terminal prints, over loopback through everything.

A person's terminal (a pty of this program) -> holdfast pty -> TLS -> control -> Redis -> gateway -> TLS -> agent -> the endpoint's
terminal, and back the same way by control's disk. Figures go to OUT/pty.jsonl. Needs release binaries.
"""
import argparse
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from figures import Figures  # noqa: E402
from harness import stack as stack_module  # noqa: E402
from harness.stack import Stack  # noqa: E402
from harness.terminal import Terminal  # noqa: E402

KEYS = 500
PAUSE_SECONDS = 0.03  # between keys: a fast typist's, so that none waits for the one before
LINES = 100_000


def echoes(terminal, count):
    times = []
    for n in range(count):
        key = b"%d" % (n % 10)
        since = len(terminal.shown)
        began = time.monotonic()
        terminal.type(key)
        terminal.wait_for(key, since=since)
        times.append((time.monotonic() - began) * 1000)
        time.sleep(PAUSE_SECONDS)
    return sorted(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    stack_module.BIN = arguments.bin.resolve()
    figures = Figures(arguments.out, "pty")
    stack = Stack(gateways=1)
    try:
        stack.init().start()
        agent = stack.add_agent("a")
        terminal = Terminal([stack_module.BIN / "holdfast", "--dir", stack.fleet, "pty", agent.id, "-d", stack.dir / "rec",
                             "--", "sh"], stack.env(TERM="xterm"))
        try:
            terminal.wait_for(b"# ")
            terminal.type("stty -icanon min 1; cat > /dev/null\r")
            terminal.wait_for("dev/null")
            time.sleep(1)
            times = echoes(terminal, KEYS)
            how = f"{KEYS} keys, one each {PAUSE_SECONDS * 1000:.0f} ms, echoed by the endpoint's terminal"
            figures.add("key to echo: p50", statistics.median(times), "ms", 10, how)
            figures.add("key to echo: p99", times[int(len(times) * 0.99)], "ms", None, "as above")
            terminal.type("\x03")
            time.sleep(0.5)
            since = len(terminal.shown)
            began = time.monotonic()
            terminal.type(f"seq 1 {LINES}; echo the''end\r")
            end = terminal.wait_for("theend", 300, since)
            took = time.monotonic() - began
            figures.add("printing", (end - since) / 1e6 / took, "MB/s", None, f"seq 1 {LINES}, {took:.2f} s", at_most=False)
            terminal.type("exit\r")
            terminal.wait()
        finally:
            terminal.close()
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
