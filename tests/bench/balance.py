#!/usr/bin/env python3
"""./dev bench balance: how evenly links spread over gateways, and what a kill, a roll and a scale make of it.

Simulated agents (holdfast-fleet, plain) against the real backend, with commands running all the while; beside
it the kernel's hashing (SO_REUSEPORT) with the same number of links and workers. Prints a table and appends one
JSON line per figure to OUT/balance.jsonl. Balance is the fullest gateway's links over the mean: 1 is even.
A figure that misses its target is shown as such and does not fail the run. Loopback only; release binaries.
"""
import argparse
import pathlib
import re
import resource
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from figures import Figures  # noqa: E402
from harness import procs, stack as stack_module  # noqa: E402
from harness.stack import Stack  # noqa: E402
from reuseport import ReusePort  # noqa: E402

LINKS, WORKERS, MORE_WORKERS = 6000, 4, 6
PER_PROCESS = 1500      # simulated agents; thousands of one process that redial at once get in each other's way
ENROL_PER_SECOND = 90   # of all together: control takes 100
ASKED = 200             # agents that get commands, in turn
EVEN_AT_REST, EVEN_AFTER = 1.01, 1.02
AFTER_SECONDS = 60
STILL_SECONDS = 8       # without a new round of rebalancing: longer than it waits for calm
MOST_SECONDS = 300      # for any one step
STREAMS = 2


class Stream(threading.Thread):
    """Commands to agents in turn, one after the other, until it is stopped."""

    def __init__(self, stack, agents):
        super().__init__()
        self.stack, self.agents = stack, agents
        self.enough = threading.Event()
        self.count, self.failed, self.longest = 0, [], 0.0

    def run(self):
        while not self.enough.is_set():
            began = time.monotonic()
            agent = self.agents[self.count % len(self.agents)]
            reply = self.stack.holdfast("query", agent, "SELECT 1", expect=None)
            self.longest = max(self.longest, time.monotonic() - began)
            self.count += 1
            if reply.status != 0:
                self.failed.append(str(reply))

    def stop(self):
        self.enough.set()
        self.join()


class Bench:
    def __init__(self, stack, figures, links):
        self.stack, self.figures, self.links = stack, figures, links

    def counts(self):
        return [int(value) for name, value in self.stack.metrics().items()
                if name.startswith('holdfast_links{proc="g')]

    def balance(self):
        """Of all links; None while some are away."""
        counts = self.counts()
        if sum(counts) < self.links:
            return None
        return max(counts) * len(counts) / sum(counts)

    def shed(self):
        """Links that were asked to move so far, as the supervisor logged it."""
        return sum(int(n) for n in re.findall(r"event=rebalance .* shed=(\d+)", self.stack.log.read_text()))

    def order(self, *words):
        self.stack.run("holdfastd", "--dir", self.stack.fleet, *words, timeout=MOST_SECONDS)
        return time.monotonic()

    def kill_gateway(self):
        restarts = lambda: self.stack.metrics()["holdfast_process_restarts"]
        before, began = restarts(), time.monotonic()
        self.stack.processes("gateway")[0].kill()
        procs.wait_for(lambda: restarts() > before, MOST_SECONDS, "the gateway does not come back")
        return began

    def add_balance(self, name, value, target, how):
        self.figures.add(f"{name}: max/mean", value, "", target, how, digits=3)

    def after(self, name, disturb, needed):
        """Seconds until all links are back and even, what is left once all is still, and the links moved.

        disturb: returns the moment from which the seconds count. needed: links that no way of evening out could
        have left where they were; None: nobody knows.
        """
        shed = self.shed()
        began = disturb()
        procs.wait_for(lambda: (self.balance() or 99) <= EVEN_AFTER, MOST_SECONDS,
                       lambda: f"{name}: {self.counts()}\n{self.stack.logs()}", every=0.2)
        self.figures.add(f"{name}: even again", time.monotonic() - began, "s", AFTER_SECONDS,
                         f"from the kill, or the order's end, until all links are back and max/mean "
                         f"<= {EVEN_AFTER}")
        self.wait_still()
        how = f"{self.links} plain links, {len(self.counts())} gateways: {self.counts()}"
        self.add_balance(name, self.balance(), EVEN_AFTER, how)
        self.figures.add(f"{name}: links asked to move", self.shed() - shed, "", needed,
                         "by rebalancing, of all; each once", digits=0)

    def wait_still(self):
        last, since = None, time.monotonic()
        while time.monotonic() - since < STILL_SECONDS or self.balance() is None:
            now = self.shed(), self.balance() is None
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.5)


def kernel_hashing(figures, links):
    how = f"{links} connections over loopback, {WORKERS} listeners: "
    kernel = ReusePort(WORKERS, links)
    spread = lambda: max(kernel.counts()) * len(kernel.counts()) / links
    name = "SO_REUSEPORT"
    figures.add(f"{name}, connected: max/mean", spread(), "", None, how + str(kernel.counts()), digits=3)
    for _ in range(WORKERS):
        kernel.restart_worker(0)
    figures.add(f"{name}, every worker restarted: max/mean", spread(), "", None, how + str(kernel.counts()), digits=3)
    for _ in range(MORE_WORKERS - WORKERS):
        kernel.start_worker()
    figures.add(f"{name}, then {MORE_WORKERS} workers: max/mean", spread(), "", None, how + str(kernel.counts()),
                digits=3)
    kernel.close()


def disturbances(bench):
    links = bench.links
    bench.wait_still()
    bench.add_balance("connected", bench.balance(), EVEN_AT_REST, f"{links} plain links: {bench.counts()}")
    bench.after("one gateway killed", bench.kill_gateway, None)
    bench.after("rolled", lambda: bench.order("roll"), None)
    share = links * (MORE_WORKERS - WORKERS) // MORE_WORKERS
    bench.after(f"scaled to {MORE_WORKERS}", lambda: bench.order("scale", str(MORE_WORKERS)), share)
    bench.after(f"scaled to {WORKERS}", lambda: bench.order("scale", str(WORKERS)), None)


def restart(stack):
    """No gateway outlives it (docs/operations/gateways.md)."""
    began = time.monotonic()
    stack.backend.kill()
    stack.backend.wait()
    stack.start()
    return began


def start_fleet(stack, links):
    """The simulated agents' processes."""
    bundle = stack.bundle("--uses", str(links))
    sizes = [min(PER_PROCESS, links - begin) for begin in range(0, links, PER_PROCESS)]
    processes = []
    for number, size in enumerate(sizes):
        with open(stack.dir / f"fleet-{number}.log", "wb") as log:
            processes.append(subprocess.Popen(
                [stack_module.BIN / "holdfast-fleet", "--bundle", bundle, "--agents", str(size),
                 "--source-base", f"127.1.{number}.0", "--ramp", str(max(ENROL_PER_SECOND // len(sizes), 1))],
                env=stack.env(), stdout=log, stderr=log, preexec_fn=procs.end_with_parent))
    return processes


def run(figures, links):
    stack = Stack(gateways=WORKERS, keys=[("tls", "plain", True)])
    fleet, streams = [], []
    try:
        stack.run("holdfast", *stack.init_argv("ws"))
        config = stack.fleet / "server/holdfastd.toml"
        config.write_text(stack_module.set_key(config.read_text(), "gateways", "count", WORKERS))
        stack.start()
        fleet = start_fleet(stack, links)
        bench = Bench(stack, figures, links)
        procs.wait_for(bench.balance, MOST_SECONDS, lambda: f"{bench.counts()}\n{stack.logs()}", every=0.5)
        asked = list(stack.agent_rows())[:ASKED]
        streams = [Stream(stack, asked[first::STREAMS]) for first in range(STREAMS)]
        for stream in streams:
            stream.start()
        disturbances(bench)
        for stream in streams:
            stream.stop()
        bench.after("holdfastd killed, started again", lambda: restart(stack), None)
    finally:
        for stream in streams:
            stream.stop()
        for process in fleet:
            process.terminate()
        for process in fleet:
            process.wait(60)
        stack.stop()
    failed = [reply for stream in streams for reply in stream.failed]
    figures.add("commands meanwhile", sum(stream.count for stream in streams), "", None,
                f"{STREAMS} x holdfast query AGENT 'SELECT 1', one after the other", digits=0)
    figures.add("commands that failed", len(failed), "", 0, "as above", digits=0)
    figures.add("longest command", max(stream.longest for stream in streams), "s", None, "as above")
    for reply in failed[:3]:
        print(reply, file=sys.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--links", type=int, default=LINKS)
    arguments = parser.parse_args()
    stack_module.BIN = arguments.bin.resolve()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    figures = Figures(arguments.out, "balance")
    kernel_hashing(figures, arguments.links)
    run(figures, arguments.links)


if __name__ == "__main__":
    main()
