"""Runs rows: shares stacks between those of equal spec, prints each result, and what repeats a failure."""
import os
import random
import subprocess
import sys
import time
import traceback

from . import report
from .bites import Bites, Void
from .lab import Lab
from .stack import procs


class Own:
    """What a row without a shared stack is given."""

    def __init__(self, seed, tier):
        self.seed, self.tier = seed, tier
        self.rng = random.Random(seed)
        self.bites = Bites()
        self.say = say
        self.stretched = 1.0


def say(text):
    print(text, flush=True)


def repeat_line(row, seed, n):
    return f"./dev faults --rows {row.id} --seed {seed} --n {n}"


class Runner:
    def __init__(self, tier, seed, n=None, keep=False):
        self.tier, self.seed, self.n, self.keep = tier, seed, n, keep
        self.failed = []

    def run(self, rows):
        specs = []
        for row in rows:
            if row.spec not in specs:
                specs.append(row.spec)
        for spec in specs:
            if spec is not None and spec.prepare == "net" and not os.environ.get("HOLDFAST_LAB_NET"):
                self.in_own_network([row for row in rows if row.spec == spec])
                continue
            group = [row for row in rows if row.spec == spec]
            if spec is None:
                for row in group:
                    self.one(row, Own(self.seed, self.tier))
            else:
                self.shared(spec, group)
        return not self.failed

    def in_own_network(self, group):
        """The same rows, by another process of this program in a network namespace of its own."""
        words = [sys.executable, sys.argv[0], "--tier", self.tier, "--seed", str(self.seed), "--rows",
                 ",".join(row.id for row in group), *(("--n", str(self.n)) if self.n else ()),
                 *(("--keep",) if self.keep else ())]
        done = subprocess.run(["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
                               *words], env={**os.environ, "HOLDFAST_LAB_NET": "1"}, check=False,
                              preexec_fn=procs.end_with_parent)
        if done.returncode != 0:
            self.failed += [row.id for row in group]

    def shared(self, spec, group):
        lab = None
        try:
            for row in group:
                if lab is None:
                    began = time.monotonic()
                    lab = Lab(self.seed, spec)
                    lab.start()
                    say(f"stack: {spec.gateways} gateways, {spec.agents} agents, up after"
                        f" {time.monotonic() - began:.1f} s")
                    lab.tier, lab.say = self.tier, say
                lab.rng = random.Random(f"{self.seed} {row.id}")
                lab.new_series(row.id.lower().replace("-", ""))
                if not self.one(row, lab):
                    self.keep_logs(row, lab)
                    broken, lab = lab, None  # the next row gets a fresh one
                    self.end(broken)
        finally:
            if lab is not None:
                self.end(lab)

    def end(self, lab):
        if self.keep:
            say(f"kept: {lab.stack.dir}")
        try:
            lab.stop(keep=self.keep)
        except AssertionError as why:
            say(f"stop: {why}")
            self.failed.append("stop")

    def keep_logs(self, row, lab):
        path = report.FOLDER / f"failed-{row.id}-{self.seed}.log"
        path.write_text(lab.stack.logs(lines=2000), encoding="utf-8")
        say(f"{row.id}: the logs of all processes: {path}")

    def one(self, row, lab):
        n = self.n or row.n.get(self.tier) or max(row.n.values())
        began = time.monotonic()
        error, figures = "", {}
        say(f"{row.id}: {row.fault}; n = {n}, seed {self.seed}")
        try:
            figures = row.run(lab, n) or {}
            lab.bites.require(row.must_bite)
        except Void as why:
            error = str(why)
        except Exception as why:  # any row's failure is one line of the report
            error = f"{type(why).__name__}: {why}"
            if not isinstance(why, AssertionError):
                traceback.print_exc(file=sys.stdout)
        took = time.monotonic() - began
        if lab.stretched > 1.3:
            figures["bounds_stretched"] = round(lab.stretched, 1)
        report.add(row, self.tier, self.seed, n, took, error, figures, dict(lab.bites.counts))
        verdict = "ok" if not error else "FAILED"
        say(f"{row.id}: {verdict} in {took:.1f} s; {figures}; bites {dict(lab.bites.counts)}")
        if error:
            say(f"{row.id}: {error[:6000]}\n{row.id}: repeat with: {repeat_line(row, self.seed, n)}")
            self.failed.append(row.id)
        return not error


def new_seed():
    return int.from_bytes(os.urandom(4), "big")
