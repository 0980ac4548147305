#!/usr/bin/env python3
"""What one idle agent costs: Pss of its processes, wake-ups a minute, CPU; connected over TLS.

    tests/bench/agent_footprint.py [--bin build/release/bin] [--seconds 180] [--json]

The agent is the real one, run as it is installed; the server is tests/support/mini_gateway.py, so that
nothing but the agent is measured. Wake-ups are voluntary context switches of all its processes.
"""
import argparse, json, os, pathlib, subprocess, sys, tempfile, time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from agent_bundle import bundle_text, make_fleet  # noqa: E402
from mini_gateway import MiniGateway  # noqa: E402

SETTLE_SECONDS = 5


def family(pid):
    out, queue = [], [pid]
    while queue:
        one = queue.pop()
        out.append(one)
        for task in pathlib.Path(f"/proc/{one}/task").iterdir():
            queue += [int(c) for c in (task / "children").read_text().split()]
    return out


def status(pid, key):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def rollup(pid):
    out = {}
    for line in open(f"/proc/{pid}/smaps_rollup"):
        words = line.split()
        if words[0] in ("Rss:", "Pss:", "Pss_Anon:", "Pss_File:"):
            out[words[0][:-1]] = int(words[1])
    return out


def cpu_ms(pid):
    words = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) * 1000 // os.sysconf("SC_CLK_TCK")


def command(pid):
    return open(f"/proc/{pid}/cmdline").read().replace("\0", " ").split(" --")[0].strip().split("/")[-1]


def measure(pids, seconds):
    before = {p: (status(p, "voluntary_ctxt_switches"), cpu_ms(p)) for p in pids}
    time.sleep(seconds)
    rows = []
    for p in pids:
        row = {"process": command(p), **{k: v * 1024 / 1e6 for k, v in rollup(p).items()}}  # MB
        row["wakeups_per_minute"] = (status(p, "voluntary_ctxt_switches") - before[p][0]) * 60 / seconds
        row["cpu_ms"] = cpu_ms(p) - before[p][1]
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=HERE.parents[1] / "build/release/bin")
    parser.add_argument("--seconds", type=int, default=180, help="how long to count wake-ups")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdfast-footprint-") as scratch:
        root = pathlib.Path(scratch)
        fleet, state = root / "fleet", root / "state"
        make_fleet(args.bin, fleet)
        tls = fleet / "server/tls"
        with MiniGateway(tls / "server.crt", tls / "server.key") as gateway:
            (root / "bundle").write_text(bundle_text(fleet, f"wss://127.0.0.1:{gateway.port}"))
            agent = [args.bin / "holdfast-agent"]
            subprocess.run([*agent, "enrol", "--bundle", root / "bundle", "--state", state], check=True,
                           stdout=subprocess.DEVNULL, timeout=60)
            gateway.online.acquire(timeout=10)
            with open(root / "log", "w") as log:
                running = subprocess.Popen([*agent, "run", "--state", state], stderr=log, stdout=log)
            try:
                if not gateway.online.acquire(timeout=30):
                    sys.exit("the agent did not come online:\n" + (root / "log").read_text())
                time.sleep(SETTLE_SECONDS)
                rows = measure(family(running.pid), args.seconds)
            finally:
                running.terminate()
                running.wait(20)
    total = {k: sum(r.get(k, 0) for r in rows) for k in rows[0] if k != "process"}
    binary = (args.bin / "holdfast-agent").stat().st_size
    if args.json:
        print(json.dumps({"binary_bytes": binary, "seconds": args.seconds, "processes": rows, "total": total}))
        return
    print(f"binary {binary / 1e6:.2f} MB; idle, connected over TLS, {args.seconds} s")
    for row in [*rows, {"process": "together", **total}]:
        print(f"  {row['process']:28} Pss {row['Pss']:6.2f} MB (anonymous {row.get('Pss_Anon', 0):5.2f}, file "
              f"{row.get('Pss_File', 0):5.2f})  {row['wakeups_per_minute']:5.2f} wake-ups/min  {row['cpu_ms']:4} ms CPU")


if __name__ == "__main__":
    main()
