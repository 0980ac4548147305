#!/usr/bin/env python3
"""The fault laboratory's one command; `./dev faults` builds what it needs and calls it.

    run.py --tier commit|nightly|release [--rows A6,B3] [--seed N] [--n N] [--keep]
    run.py --tier soak --minutes N
    run.py --list
    run.py report [--since COMMIT]
    run.py mutants [--only NAME,...]          builds without one protection each: all must be noticed;
                                              "intact" is the one that lacks nothing
    run.py mutants --dry-run                  do they still apply?
"""
import argparse
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lab import mutants, report, rows  # noqa: E402
from lab.runner import Runner, new_seed  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(prog="./dev faults", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="run", choices=("run", "report", "mutants"))
    parser.add_argument("--tier", default="commit", choices=rows.TIERS)
    parser.add_argument("--rows", default="", help="only these, with commas")
    parser.add_argument("--seed", type=int, help="default: a new one, printed")
    parser.add_argument("--n", type=int, help="instead of the tier's")
    parser.add_argument("--minutes", type=int, dest="n", help="--n of the soak")
    parser.add_argument("--repeat", type=int, default=1, help="so often, each with its own seed")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--part", default="1/1", help="I/N: the I-th of N parts, for running them at once")
    parser.add_argument("--keep", action="store_true", help="leave the directories")
    parser.add_argument("--only", default="", help="mutants: these, with commas")
    parser.add_argument("--dry-run", action="store_true", help="mutants: only whether they apply")
    parser.add_argument("--since", default="", help="report: only results of this commit")
    return parser.parse_args()


def chosen(registry, options):
    if not options.rows:
        rows_of_tier = [row for row in registry.values() if row.n.get(options.tier)]
        part, parts = map(int, options.part.split("/"))
        # By stack: rows that share one stay together.
        specs = list(dict.fromkeys(row.spec for row in rows_of_tier))
        return [row for row in rows_of_tier if specs.index(row.spec) % parts == part - 1]
    names = options.rows.split(",")
    unknown = [name for name in names if name not in registry]
    if unknown:
        sys.exit(f"no such row: {', '.join(unknown)}; there are: {', '.join(registry)}")
    return [registry[name] for name in names]


def show(registry):
    for row in registry.values():
        sizes = " ".join(f"{tier}={row.n[tier]}" for tier in rows.TIERS if row.n.get(tier))
        print(f"{row.id:5} {sizes}\n      {row.fault}\n      {row.figure}")


def main():
    options = parse()
    # Ends like Ctrl-C does: whatever was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    registry = rows.load_all()
    if options.list:
        return show(registry)
    if options.what == "report":
        return report.write_page(list(registry.values()), mutants.table(), options.since)
    if options.what == "mutants" and options.dry_run:
        sys.exit(0 if mutants.all_apply() else 1)
    if options.what == "mutants":
        sys.exit(0 if mutants.run_all([n for n in options.only.split(",") if n]) else 1)
    todo = chosen(registry, options)
    if os.geteuid() != 0:
        print("not root: rows that need namespaces or mounts will fail, and say so", flush=True)
    good = True
    for turn in range(options.repeat):
        seed = options.seed + turn if options.seed is not None else new_seed()
        good = Runner(options.tier, seed, options.n, options.keep).run(todo) and good
    return sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
