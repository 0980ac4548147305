#!/usr/bin/env python3
"""./dev bench tables: time and memory of every table, with 5,000 more processes and 1,000,000 files.

    --processes N, --files N    fewer or more of them
    --only TABLE                that one, repeatable

Each table is scanned as a whole by a process of its own that runs the agent's code (holdfast-table-bench): median
of RUNS, fewer where one takes long. The processes are real ones that sleep, for /proc is what is measured; the
files are empty ones below OUT, and are removed afterwards. Prints a table, appends one JSON line per figure to
OUT/tables.jsonl, and with all tables at full size writes docs/benchmarks/tables.md anew. A figure that misses its target is
shown as such and does not fail the run; nor does a table that this machine cannot answer, which is named.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from figures import Figures  # noqa: E402

PROCESSES, FILES = 5000, 1_000_000
RUNS = 5
SLOW_MS = 4000          # a table that takes longer runs once
PER_DIRECTORY = 1000
PLACE = "@FILES@"       # in the question of a table of files
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/benchmarks/tables.md"
MIB = 1024


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K  {text}", end="", file=sys.stderr, flush=True)


class Files:
    """So many empty files in directories of 1,000, gone at the end."""

    def __init__(self, folder, count):
        self.folder, self.count = folder, count

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if os.statvfs(self.folder).f_favail < self.count + 1000:
            raise SystemExit(f"{self.folder}: not room for {self.count} files; use --files")
        try:
            for first in range(0, self.count, PER_DIRECTORY):
                progress(f"making files: {first} of {self.count}")
                below = self.folder / f"d{first // PER_DIRECTORY:05}"
                below.mkdir()
                for i in range(min(PER_DIRECTORY, self.count - first)):
                    os.close(os.open(below / f"file-{i:04}", os.O_CREAT | os.O_WRONLY, 0o644))
        except BaseException:
            self.__exit__()
            raise
        progress("")
        return self

    def __exit__(self, *_):
        progress(f"removing {self.count} files")
        shutil.rmtree(self.folder, ignore_errors=True)
        progress("")


class Sleepers:
    def __init__(self, tool, count):
        self.process = subprocess.Popen([tool, "sleepers", str(count)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.count = int(self.process.stdout.readline().split()[1])
        if self.count < count:
            print(f"only {self.count} of {count} processes: the system lets no more begin")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(60)


def measure(tool, sql):
    """Median ms, rows, KiB of memory, runs; or why there is no answer."""
    ran = subprocess.run([tool, "run", sql, "1"], check=False, capture_output=True, text=True)
    if ran.returncode != 0:
        return ran.stderr.strip()
    first = json.loads(ran.stdout)
    if first["ms"][0] > SLOW_MS:
        return first["ms"][0], first["rows"], first["peak_kib"], 1
    more = json.loads(subprocess.run([tool, "run", sql, str(RUNS)], check=True, capture_output=True,
                                     text=True).stdout)
    return statistics.median(more["ms"]), more["rows"], first["peak_kib"], RUNS


def add(figures, rows_of_page, name, measured, target, how):
    if isinstance(measured, str):
        print(f"{name}: not measured: {measured}", flush=True)
        rows_of_page.append(f"| {name} | | | | not measured: {measured} |")
        return
    ms, rows, kib, runs = measured
    figures.add(f"{name}: time", ms, "ms", target, f"{how}; {rows} rows; median of {runs}")
    figures.add(f"{name}: memory", kib / MIB, "MiB", None, f"{how}; peak beyond what it began with")
    rows_of_page.append(f"| {name} | {rows:,} | {ms:,.2f} ms | {kib / MIB:.1f} MiB | `{how}`; median of {runs} |")


def write_page(machine, rows):
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    lines = ["| table | rows | time | memory | question |", "|---|---|---|---|---|", *rows, "", f"Machine: {machine}."]
    PAGE.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--only", action="append")
    arguments = parser.parse_args()
    tool = (arguments.bin / "holdfast-table-bench").resolve()
    listed = subprocess.run([tool, "list"], check=True, capture_output=True, text=True).stdout
    tables = dict(line.split("\t") for line in listed.splitlines())
    unknown = set(arguments.only or ()) - set(tables)
    if unknown:
        raise SystemExit(f"there is no table {', '.join(sorted(unknown))}")
    wanted = {name: sql for name, sql in tables.items() if name in (arguments.only or tables)}

    figures, rows = Figures(arguments.out, "tables"), []
    of_files = [name for name, sql in wanted.items() if PLACE in sql]
    if "processes" in wanted:
        running = sum(name.isdigit() for name in os.listdir("/proc"))
        add(figures, rows, f"processes, {running} as they are", measure(tool, wanted["processes"]), 20,
            f"SELECT * FROM processes, {running} processes")
    with Sleepers(tool, arguments.processes) as sleepers:
        time.sleep(1)  # all of them asleep
        for name, sql in wanted.items():
            if name not in of_files:
                progress(name)
                measured = measure(tool, sql)
                progress("")
                add(figures, rows, name, measured, None, f"{sql}, {sleepers.count} more processes")
    if not of_files:
        return
    folder = (arguments.out / "tables-files").resolve()
    with Files(folder, arguments.files):
        for name in of_files:
            progress(name)
            measured = measure(tool, wanted[name].replace(PLACE, str(folder)))
            progress("")
            add(figures, rows, name, measured, None, f"{wanted[name].replace(PLACE, 'FILES')}, {arguments.files} empty files")
    if arguments.only is None and (arguments.processes, arguments.files) == (PROCESSES, FILES):
        write_page(figures.machine, rows)


if __name__ == "__main__":
    main()
