#!/usr/bin/env python3
"""./dev bench basics: what one endpoint and one idle link cost, and how fast an answer comes.

Prints a table and appends one JSON line per figure to OUT/basics.jsonl: figure, value, target, machine,
how it was measured. A figure that misses its target is shown as such and does not fail the run: the
machine decides too. Loopback only; needs release binaries and 3 GiB of free disk.
"""
import argparse
import os
import pathlib
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from figures import Figures, commits_ms, part_of  # noqa: E402
from harness import procs, stack as stack_module  # noqa: E402
from harness.stack import Stack  # noqa: E402

MB = 1_000_000
FILE_BYTES = 1 << 30
IDLE_SECONDS = 60       # one idle beat falls into it
STABLE_SECONDS = 66     # a link that has lived for 60 s is stable, and says so, once (common/link/backoff.h)
SETTLE_SECONDS = 5      # after connecting, until "idle" is true
CLI_RUNS = 50
ROUND_TRIPS = 500
GETS = 3                # median; the first one also pays for memory that the system has not touched yet
FLEET_LINKS = 5000
SAMPLE_SECONDS = 0.02


def family(agent):
    return [agent.warden(), *procs.descendants(agent.process.pid)]


def pss(processes):
    total = 0
    for p in processes:
        try:
            total += p.memory("Pss")
        except (OSError, KeyError):
            pass  # a worker that just ended
    return total


class Peak:
    """The largest Pss of an agent's processes while a block runs."""

    def __init__(self, agent):
        self.agent, self.bytes, self.stopping = agent, 0, threading.Event()
        self.thread = threading.Thread(target=self.sample)

    def sample(self):
        while not self.stopping.wait(SAMPLE_SECONDS):
            self.bytes = max(self.bytes, pss(family(self.agent)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


def idle_agent(figures, agent):
    time.sleep(STABLE_SECONDS)
    figures.add("agent, all idle processes: Pss", pss(family(agent)) / MB, "MB", 4,
                "sum of Pss in smaps_rollup of warden and link, connected over TLS")
    processes = family(agent)
    before = sum(p.switches() for p in processes)
    time.sleep(IDLE_SECONDS)
    woken = sum(p.switches() for p in processes) - before
    figures.add("agent, idle: wake-ups", woken * 60 / IDLE_SECONDS, "/min", 2,
                "voluntary context switches of warden and link")


def round_trips(figures, stack, agent):
    tool = stack_module.BIN / "holdfast-roundtrip"
    if tool.exists():
        said = stack.run("holdfast-roundtrip", "--dir", stack.fleet, "--count", ROUND_TRIPS,
                         agent.id, timeout=300).json()
        commits = commits_ms(stack.dir)
        for name, part in (("p50", 0.5), ("p99", 0.99)):
            figures.add(f"commit of the disk that all share: {name}", part_of(commits, part), "ms", None,
                        "4 KiB appended and fdatasync, 200 times; a query waits for four")
        figures.add("query, open connection: p50", said["p50_ms"], "ms", 5,
                    f"{ROUND_TRIPS} x SELECT 1, one after the other, signed each")
        figures.add("query, open connection: p99", said["p99_ms"], "ms", None, "as above")
    times = []
    for _ in range(CLI_RUNS):
        began = time.monotonic()
        stack.holdfast("query", agent.id, "SELECT 1 AS one")
        times.append((time.monotonic() - began) * 1000)
    figures.add("query, whole CLI process: p50", statistics.median(times), "ms", None,
                f"{CLI_RUNS} x holdfast query ID 'SELECT 1'")


def big_get(figures, stack, agent):
    source = stack.dir / "big.bin"
    block = os.urandom(16 * 1024 * 1024)
    with open(source, "wb") as file:
        for _ in range(FILE_BYTES // len(block)):
            file.write(block)
    time.sleep(SETTLE_SECONDS)  # what the command before left behind is gone
    idle = pss(family(agent))
    rates, extra = [], 0
    for turn in range(GETS + 1):
        into = stack.dir / f"into-{turn}"
        began = time.monotonic()
        if turn < GETS:
            stack.holdfast("get", agent.id, source, "-d", into, timeout=600)
            rates.append(FILE_BYTES / MB / (time.monotonic() - began))
        else:  # memory on a run of its own: looking at it takes processor time from what is measured
            with Peak(agent) as peak:
                stack.holdfast("get", agent.id, source, "-d", into, timeout=600)
            extra = peak.bytes - idle
        (copy,) = [p for p in into.rglob("*") if p.is_file()]
        if subprocess.run(["cmp", "-s", source, copy], check=False).returncode != 0:
            raise SystemExit("the file that came is not the file that is there")
        shutil.rmtree(into)
    figures.add("get of 1 GiB over loopback TLS", statistics.median(rates), "MB/s", 150,
                f"holdfast get, from start to exit; bytes compared; median of {GETS}: "
                + ", ".join(f"{rate:.0f}" for rate in rates), at_most=False)
    figures.add("get of 1 GiB: agent's extra memory", extra / MB, "MB", 8,
                f"peak Pss of warden, link and worker, every {SAMPLE_SECONDS} s, less idle Pss; a run of its own")


def plain_links(figures, links):
    stack = Stack(gateways=1, keys=[("tls", "plain", True)])
    try:
        stack.run("holdfast", *stack.init_argv("ws"))
        config = stack.fleet / "server/holdfastd.toml"
        config.write_text(stack_module.set_key(config.read_text(), "gateways", "count", 1))
        stack.start()
        gateway = stack.processes("gateway")[0]
        private = lambda: gateway.memory("Private_Dirty") + gateway.memory("Private_Clean")
        bundle = stack.bundle("--uses", str(links + 1))
        with open(stack.dir / "fleet.log", "wb") as log:
            fleet = subprocess.Popen(
                [stack_module.BIN / "holdfast-fleet", "--bundle", bundle, "--agents", str(links)],
                env=stack.env(), stdout=log, stderr=log, preexec_fn=procs.end_with_parent)
        try:
            before = private()
            procs.wait_for(lambda: stack.metrics().get("holdfast_links", 0) >= links, 300,
                           lambda: f"only {stack.metrics().get('holdfast_links')} links\n{stack.logs()}",
                           every=0.5)
            time.sleep(SETTLE_SECONDS)
            figures.add("gateway, idle plain link: user memory", (private() - before) / links, "B", 2500,
                        f"private bytes of the gateway with {links} links less without, per link")
        finally:
            fleet.terminate()
            fleet.wait(30)
    finally:
        stack.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--only", choices=["idle", "query", "get", "links"], action="append")
    parser.add_argument("--links", type=int, default=FLEET_LINKS)
    arguments = parser.parse_args()
    stack_module.BIN = arguments.bin.resolve()
    wanted = arguments.only or ["idle", "query", "get", "links"]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    figures = Figures(arguments.out, "basics")
    size = (stack_module.BIN / "holdfast-agent").stat().st_size
    figures.add("agent binary, stripped", size / MB, "MB", 4, f"size of holdfast-agent, {platform.machine()}")
    if set(wanted) & {"idle", "query", "get"}:
        if shutil.disk_usage("/tmp").free < 4 * FILE_BYTES:
            raise SystemExit("not enough room in /tmp")
        stack = Stack(gateways=0)
        try:
            stack.init().start()
            agent = stack.add_agent("a")
            if "idle" in wanted:
                idle_agent(figures, agent)
            if "query" in wanted:
                round_trips(figures, stack, agent)
            if "get" in wanted:
                big_get(figures, stack, agent)
        finally:
            stack.stop()
    if "links" in wanted:
        plain_links(figures, arguments.links)


if __name__ == "__main__":
    main()
