#!/usr/bin/env python3
"""./dev bench lanes: do small answers stay fast while a large file is fetched from the same endpoint?

Queries over an open connection, alone and then beside a get of 5 GiB. Endpoint, backend and analyst share one disk. Prints a table and appends one JSON line per
figure to OUT/lanes.jsonl. A figure that misses its target is shown as such and does not fail the run. Loopback only; needs
release binaries and 6 GiB of free disk.
"""
import argparse
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from figures import Figures, commits_ms, part_of  # noqa: E402
from harness import procs, stack as stack_module  # noqa: E402
from harness.stack import Stack  # noqa: E402

FILE_BYTES = 5 << 30
ROOM_BYTES = FILE_BYTES + (1 << 30)
TURNS = 3
ROUND_TRIPS = 300
REST_SECONDS = 3.0
FLOWING_SECONDS = 1.0  # after its first bytes are here


def ask(stack, agent):
    return stack.run("holdfast-roundtrip", "--dir", stack.fleet, "--count", ROUND_TRIPS, agent.id,
                     timeout=600).json()


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Get:
    """The large file on its way, for as long as a block runs."""

    def __init__(self, stack, agent, source, into):
        self.argv = [stack_module.BIN / "holdfast", "--dir", stack.fleet, "get", agent.id, source, "-d", into]
        self.stack, self.into = stack, into

    def __enter__(self):
        self.into.mkdir()
        self.process = subprocess.Popen(self.argv, env=self.stack.env(), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=procs.end_with_parent)
        procs.wait_for(lambda: size_of(self.into) > 0, 60, "the file does not begin to come")
        time.sleep(FLOWING_SECONDS)
        self.began, self.bytes = time.monotonic(), size_of(self.into)
        return self

    def rate(self):
        """Bytes a second since the block began; the file must still be coming."""
        if self.process.poll() is not None:
            raise SystemExit("the file came before all was asked beside it; this machine needs a larger one")
        return (size_of(self.into) - self.bytes) / (time.monotonic() - self.began)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        for job in self.open_gets():
            self.stack.holdfast("cancel", job["job"], expect=None)
        procs.wait_for(lambda: not self.open_gets(), 120, "the get does not end", every=0.5)
        time.sleep(REST_SECONDS)  # what was on its way is here
        shutil.rmtree(self.into)

    def open_gets(self):
        return [job for job in self.stack.holdfast("jobs").json() if job["verb"] == "get" and job["ended"] == 0]


def main():
    parser = argparse.ArgumentParser(prog="./dev bench lanes")
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    stack_module.BIN = arguments.bin.resolve()
    if shutil.disk_usage(tempfile.gettempdir()).free < ROOM_BYTES:
        raise SystemExit("not enough room for temporary files: 6 GiB are needed")
    figures = Figures(arguments.out, "lanes")
    stack = Stack(gateways=0)
    try:
        stack.init().start()
        agent = stack.add_agent("a")
        source = stack.dir / "big.bin"
        with open(source, "wb") as file:
            file.truncate(FILE_BYTES)
        ask(stack, agent)
        alone, beside, rates = [], [], []
        commits_alone, commits_beside = [], []
        # Before the first get: what one has left to be written to the disk would slow them, too.
        for _ in range(TURNS):
            alone.append(ask(stack, agent))
            commits_alone += commits_ms(stack.dir)
        for turn in range(TURNS):
            with Get(stack, agent, source, stack.dir / f"into-{turn}") as get:
                beside.append(ask(stack, agent))
                rates.append(get.rate())
                commits_beside += commits_ms(stack.dir)
        how = f"{TURNS} turns of {ROUND_TRIPS} queries each, medians of the turns"
        for part in ("p50_ms", "p99_ms"):
            before = statistics.median(said[part] for said in alone)
            after = statistics.median(said[part] for said in beside)
            name = part.removesuffix("_ms")
            figures.add(f"query alone: {name}", before, "ms", None, how)
            figures.add(f"query beside a get: {name}", after, "ms", None, how)
            figures.add(f"query beside a get over alone: {name}", after / before, "", 2 if name == "p99" else None, how)
        before, after = (part_of(sorted(of), 0.99) for of in (commits_alone, commits_beside))
        figures.add("commit beside a get over alone: p99", after / before, "", None,
                    f"4 KiB appended and fdatasync, {len(commits_alone)} times each: {before:.2f} ms alone, {after:.2f} ms beside")
        figures.add("the get meanwhile", statistics.median(rates) / 1e6, "MB/s", None,
                    "bytes that reached the disk while the queries were asked", at_most=False)
    finally:
        stack.stop()


if __name__ == "__main__":
    main()
