"""Writes the latest figure of each kind that benches kept into a page of docs/benchmarks/, between its marks."""
import json
import pathlib
import sys

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def latest(out, names):
    """{figure: line}, in the order in which they were measured first."""
    found = {}
    for name in names:
        path = out / f"{name}.jsonl"
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                found[row["figure"]] = row
    return found


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}" if value == int(value) else f"{value:.2f}"


def table(rows):
    lines = ["| figure | measured | asked for | | how |", "|---|---|---|---|---|"]
    machines = []
    for row in rows.values():
        target = "" if row["target"] is None else f"{number(row['target'])} {row['unit']}".strip()
        met = {None: "", True: "met", False: "**missed**"}[row["met"]]
        lines.append(f"| {row['figure']} | {number(row['value'])} {row['unit']} | {target} | {met} | {row['how']} |")
        if row["machine"] not in machines:
            machines.append(row["machine"])
    return "\n".join([*lines, "", f"Machine: {'; '.join(machines)}; client and server on the same cores."])


def write(out, names, path):
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    path.write_text(f"{before}{BEGIN}\n{table(latest(out, names))}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":  # OUT PAGE BENCH...
    write(pathlib.Path(sys.argv[1]), sys.argv[3:], pathlib.Path(sys.argv[2]))
