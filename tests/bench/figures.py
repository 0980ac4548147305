"""Figures: what a measurement prints, a table, and keeps, one JSON line per figure with machine and method."""
import datetime
import json
import os
import platform


class Figures:
    def __init__(self, out, name):
        out.mkdir(parents=True, exist_ok=True)
        self.file = open(out / f"{name}.jsonl", "a", encoding="utf-8")
        cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                    if line.startswith("model name")), platform.machine())
        self.machine = f"{cpu} x{os.cpu_count()}, Linux {platform.release()}"
        print(f"machine: {self.machine}\n{'figure':46} {'measured':>14} {'target':>12}")

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
