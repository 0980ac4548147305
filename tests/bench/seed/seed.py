#!/usr/bin/env python3
"""./dev bench seed: the seed's experiment, our transport beside the servers that it was made with.

Appends each measured row to OUT/seed.jsonl, in place of what the file had of the same peer and
measurement, prints it, and at the end draws OUT/seed.md and the plots anew. A target that is missed is
shown as such and does not fail the run. docs/benchmarks/seed.md says what is measured, and how.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import resource
import sys
import time

import measure
import peers
import report

KINDS = {"B1": "rounds", "B2": "full", "B3": "ping_pong", "B4": "memory"}


@dataclasses.dataclass
class Plan:
    clients: list
    requests: int
    repeats: int
    ping_pong_clients: list
    ping_pong_seconds: int
    settle_seconds: int
    full_rounds: int  # of 100 clients more, each with 100 requests


FULL = Plan(clients=[100, 500, 1000, 2000, 4000, 6000, 8000, 10000], requests=50, repeats=3,
            ping_pong_clients=[1000, 10000, 19000], ping_pong_seconds=5, settle_seconds=20, full_rounds=100)
QUICK = Plan(clients=[100, 1000, 4000], requests=50, repeats=1, ping_pong_clients=[1000],
             ping_pong_seconds=1, settle_seconds=3, full_rounds=5)


class Rows:
    """The file of all rows. Those of a peer and a measurement are replaced together."""

    def __init__(self, path):
        self.path = path
        self.rows = []
        if path.exists():
            self.rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def forget(self, peer, kind):
        self.rows = [row for row in self.rows if (row["peer"], row["id"]) != (peer, kind)]

    def keep(self, row):
        row = {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
        self.rows.append(row)
        print("  " + report.line(row), flush=True)
        self.path.write_text("".join(json.dumps(one) + "\n" for one in self.rows), encoding="utf-8")


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench seed", description=__doc__.split("\n\n")[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true",
                        help="fewer clients, once, into build/seed: three minutes instead of twenty-five")
    parser.add_argument("--peer", action="append", metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--only", action="append", choices=KINDS.values(), help="only this measurement")
    parser.add_argument("--clients", help="the rounds, such as 100,1000,10000")
    parser.add_argument("--requests", type=int, help="of each client in a round; default 50")
    parser.add_argument("--dry-run", action="store_true", help="say what is wrong with the arguments, and end")
    parser.add_argument("--report", action="store_true", help="measure nothing, draw again")
    return parser.parse_args()


def plan_of(options):
    plan = QUICK if options.quick else FULL
    if options.clients:
        plan = dataclasses.replace(plan, clients=[int(word) for word in options.clients.split(",")])
    if options.requests:
        plan = dataclasses.replace(plan, requests=options.requests)
    return plan


def run(options, rows, known):
    client = (options.bin / "holdfast-seed-client").resolve()
    machine = measure.machine()
    print(f"machine: {machine}; load {os.getloadavg()[0]:.2f}")
    log = options.build / "log"
    log.mkdir(parents=True, exist_ok=True)
    wanted = options.peer or list(known)
    for number, name in enumerate(wanted, 1):
        began = time.monotonic()
        print(f"[{number}/{len(wanted)}] {name}", flush=True)
        kinds = [kind for kind, what in KINDS.items() if what in (options.only or KINDS.values())]
        for kind in kinds:
            rows.forget(name, kind)

        def keep(row):
            rows.keep({**row, "machine": machine})

        try:
            one = measure.Measurement(known[name](), client, log / f"{number}.log", keep, plan_of(options))
            for kind in kinds:
                getattr(one, KINDS[kind])()
        except peers.Missing as missing:
            for kind in kinds:
                keep({"id": kind, "peer": name, "n": 0, "problem": str(missing)})
        print(f"      {time.monotonic() - began:.0f} s", flush=True)


def main():
    options = arguments()
    known = peers.catalogue(options.bin.resolve(), options.build.resolve())
    for name in options.peer or []:
        if name not in known:
            print(f"there is no peer '{name}'; there are: " + "; ".join(known), file=sys.stderr)
            raise SystemExit(2)
    if options.dry_run:
        return
    # Each server and client may need a descriptor for each link.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    out = options.out or (options.build if options.quick else pathlib.Path("docs/benchmarks"))
    out.mkdir(parents=True, exist_ok=True)
    rows = Rows(out / "seed.jsonl")
    if not options.report:
        run(options, rows, known)
    print(report.write(rows.rows, out, list(known)))


if __name__ == "__main__":
    main()
