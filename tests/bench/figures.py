"""Figures: what a measurement prints, a table, and keeps, one JSON line per figure with machine and method."""
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import time

COMMITS = 200
COMMIT_BYTES = 4096


def commits_ms(folder):
    """How long the disk takes for one commit, as a journal makes it: appended, fdatasync. Sorted; an answer waits for several."""
    times = []
    path = folder / "commits"
    with open(path, "wb", buffering=0) as file:
        for _ in range(COMMITS):
            began = time.monotonic()
            file.write(bytes(COMMIT_BYTES))
            os.fdatasync(file.fileno())
            times.append((time.monotonic() - began) * 1000)
    path.unlink()
    return sorted(times)


def signature_check_us():
    """Most of what an answer costs; None without the program."""
    if not shutil.which("openssl"):
        return None
    said = subprocess.run(["openssl", "speed", "-seconds", "1", "ecdsap256"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"nistp256\)\s+\S+s\s+\S+s\s+\S+\s+(\S+)", said)
    return 1e6 / float(found[1]) if found else None


def part_of(sorted_values, part):
    return sorted_values[min(int(len(sorted_values) * part), len(sorted_values) - 1)]


class Figures:
    def __init__(self, out, name):
        out.mkdir(parents=True, exist_ok=True)
        self.file = open(out / f"{name}.jsonl", "a", encoding="utf-8")
        cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                    if line.startswith("model name")), platform.machine())
        self.machine = f"{cpu} x{os.cpu_count()}, Linux {platform.release()}"
        print(f"machine: {self.machine}\n{'figure':46} {'measured':>14} {'target':>12}")
        check_us = signature_check_us()
        if check_us:
            self.add("this machine: a P-256 signature checked", check_us, "us", None,
                     "openssl speed, one core: what the machine was worth that day, to compare days by", digits=0)

    def add(self, name, value, unit, target, how, at_most=True, digits=2):
        """One figure. target None: for information."""
        met = None if target is None else (value <= target if at_most else value >= target)
        sign = "<=" if at_most else ">="
        shown = "" if target is None else f"{sign} {target:g} {unit}"
        print(f"{name:46} {value:9.{digits}f} {unit:<5} {shown:>12} "
              f"{'' if met is None else 'pass' if met else 'MISS'}", flush=True)
        self.file.write(json.dumps({
            "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "figure": name, "value": round(value, 4), "unit": unit, "target": target, "met": met,
            "machine": self.machine, "how": how}) + "\n")
        self.file.flush()
