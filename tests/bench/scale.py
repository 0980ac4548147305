#!/usr/bin/env python3
"""./dev bench scale --agents N [--tls]: the seed's rounds of more and more agents, to N of them.

Starts a throwaway backend with a gateway for each 18,000 links, and holdfast-fleet beside it. Each round adds
agents, waits until all are welcomed, and lets one per cent of all do one signed command each, through
everything. Then everybody stays idle for a beat's time. Written down after each round: memory and CPU time of
every process, the kernel's slab, links per gateway, beats, commands, what failed.

Stops by itself at 90 % of the memory (slab counted) or after 10 minutes without progress. Appends JSON lines to
OUT/scale.jsonl, prints a table, and redraws docs/benchmarks/scale.md and its plots unless --no-docs.
Loopback only. Changes no setting of the system.
"""
import argparse
import datetime
import json
import os
import pathlib
import resource
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from scale import document, readings, world as world_module  # noqa: E402
from scale.fit import fit, server_cpu  # noqa: E402
from scale.world import World  # noqa: E402

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs/benchmarks"
SEED_STEP = 2000           # the seed's rounds
SEED_AGENTS = 100_000      # up to here; above, a fiftieth of all
ROUNDS = 50
MOST_MEMORY = 0.9
NO_PROGRESS_SECONDS = 600
SETTLE_SECONDS = 0.5       # after a round's last welcome, until memory is read
HOLD_SECONDS = 66          # one idle beat of everybody: 60 s and a tenth
POLL_SECONDS = 0.1
SYSCTLS = ("net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.ip_local_port_range", "fs.file-max",
           "net.netfilter.nf_conntrack_count")
# What counts as failed: a link that ended while nobody meant it to.
MEANT = {"agent_stopping"}


class Stopped(Exception):
    """The run ends here, for the reason that it says."""


class Run:
    def __init__(self, world, agents, step, hold):
        self.world, self.agents, self.step, self.hold = world, agents, step, hold
        self.rounds = []
        self.fleet = self.volley = None
        self.began = time.monotonic()
        self.base = None

    def start(self):
        self.base = {"memory": readings.meminfo(), "server": self.world.server_memory(),
                     "cpu": self.world.server_cpu(), "net": readings.net_counters()}
        self.fleet = self.world.start_fleet()
        self.volley = self.world.start_volley()

    def end(self):
        for child in (self.volley, self.fleet):
            if child is not None and child.process.poll() is None:
                child.end()

    def check_memory(self):
        info = readings.meminfo()
        share = readings.memory_used(info) / info["MemTotal"]
        if share > MOST_MEMORY:
            raise Stopped(f"{share:.0%} of the memory is in use")

    def wait_online(self, wanted):
        best, since = -1, time.monotonic()
        while True:
            figures = self.fleet.ask("figures")
            if figures["online"] >= wanted:
                return figures
            now = time.monotonic()
            if figures["online"] > best:
                best, since = figures["online"], now
            if now - since > NO_PROGRESS_SECONDS:
                raise Stopped(f"no progress at {best} of {wanted} agents: {figures['ends']}")
            self.check_memory()
            time.sleep(POLL_SECONDS)

    def round(self, number, wanted):
        cpu_before = self.world.server_cpu()
        began = time.monotonic()
        self.fleet.say(f"agents {wanted}")
        self.wait_online(wanted)
        connect_s = time.monotonic() - began
        cpu_after = self.world.server_cpu()
        time.sleep(SETTLE_SECONDS)
        memory = self.world.server_memory()
        links = self.world.links_of_gateways()
        info = readings.meminfo()
        # Others each round, all over the fleet: agents number % 100, number % 100 + 100, ...
        stride = 100
        commands = self.volley.ask(f"run {number % stride} {stride} {max(1, wanted // stride)}")
        figures = self.fleet.ask("figures")
        fleet_pids = self.world.fleet_processes(self.fleet)
        row = {
            "kind": "round", "round": number, "agents": wanted, "at_s": round(time.monotonic() - self.began, 2),
            "connect_s": round(connect_s, 3), "online": figures["online"], "figures": figures,
            "commands": commands, "links": links,
            "connect_cpu_s": round(sum(cpu_after.values()) - sum(cpu_before.values()), 3),
            "server": {slot: {"private": private, "pss": pss, "cpu_s": round(cpu_after[slot], 2)}
                       for slot, (private, pss) in memory.items()},
            "fleet_private": sum(readings.memory(pid)[0] for pid in fleet_pids),
            "fleet_cpu_s": round(sum(readings.cpu_seconds(pid) for pid in fleet_pids), 2),
            "slab": info["Slab"], "slab_unreclaimable": info["SUnreclaim"],
            "used": readings.memory_used(info),
        }
        self.rounds.append(row)
        self.check_memory()
        return row

    def rest(self):
        """Everybody idle for a beat's time: what do heartbeats cost, and are they on time?"""
        before = self.fleet.ask("figures")
        cpu_before = self.world.server_cpu()
        fleet_before = sum(readings.cpu_seconds(pid) for pid in self.world.fleet_processes(self.fleet))
        time.sleep(self.hold)
        after = self.fleet.ask("figures")
        cpu_after = self.world.server_cpu()
        cpu = sum(cpu_after.values()) - sum(cpu_before.values())
        fleet = sum(readings.cpu_seconds(pid) for pid in self.world.fleet_processes(self.fleet)) - fleet_before
        beats = after["beats_answered"] - before["beats_answered"]
        return {"seconds": self.hold, "beats": beats, "late": after["beats_late"] - before["beats_late"],
                "server_cpu_s": round(cpu, 2),
                "cpu_s": {slot: round(cpu_after[slot] - cpu_before[slot], 2) for slot in cpu_after}, "fleet_cpu_s": round(fleet, 2),
                "server_us_per_beat": round(cpu / beats * 1e6, 2) if beats else None,
                "beat_p50_ms": after["beat_p50_ms"], "beat_p99_ms": after["beat_p99_ms"],
                "beat_max_ms": after["beat_max_ms"], "online": after["online"], "figures": after}


def failures(figures):
    return sum(count for reason, count in figures["ends"].items() if reason not in MEANT)


def private(row):
    return sum(process["private"] for process in row["server"].values())


def summary(run, stopped, hold):
    """What the targets are about."""
    last = run.rounds[-1]
    agents = last["agents"]
    base_slab = run.base["memory"]["Slab"]
    memory = fit([(row["agents"], private(row)) for row in run.rounds])
    spent = sum(row["connect_cpu_s"] for row in run.rounds)
    links = last["links"]
    first_commands = run.rounds[0]["commands"]
    net = readings.net_counters()
    figures = hold["figures"] if hold else last["figures"]
    return {
        "kind": "result", "agents": agents, "wanted": run.agents, "tls": run.world.tls, "gateways": run.world.gateways,
        "step": run.step, "rounds": len(run.rounds), "stopped": stopped,
        "wall_s": round(time.monotonic() - run.began, 1),
        "connect_s": round(sum(row["connect_s"] for row in run.rounds), 1),
        "server_bytes_per_agent": round(private(last) / agents, 1),
        "gateway_bytes_per_link": round(sum(p["private"] for s, p in last["server"].items() if s.startswith("g"))
                                        / agents, 1),
        "control_bytes_per_agent": round(last["server"]["c0"]["private"] / agents, 1),
        "other_bytes_per_agent": round((last["server"]["redis"]["private"] + last["server"]["supervisor"]["private"])
                                       / agents, 1),
        "server_pss_per_agent": round(sum(p["pss"] for p in last["server"].values()) / agents, 1),
        "fleet_bytes_per_agent": round(last["fleet_private"] / agents, 1),
        "slab_bytes_per_agent": round((last["slab"] - base_slab) / agents, 1),
        "used_share": round(last["used"] / run.base["memory"]["MemTotal"], 4),
        "memory_fit": memory, "cpu_fit": server_cpu(run.rounds),
        "server_us_per_connect": round(spent / agents * 1e6, 1),
        "balance": round(max(links) / (sum(links) / len(links)), 5) if sum(links) else None,
        "failures": failures(figures),
        "ends": figures["ends"], "beats": figures["beats_answered"], "beats_late": figures["beats_late"],
        "sessions_ended": sum(figures["ends"].values()), "session_longest_s": round(time.monotonic() - run.began),
        "connect_p50_ms": figures["connect_p50_ms"], "connect_p99_ms": figures["connect_p99_ms"],
        "commands": sum(row["commands"]["count"] for row in run.rounds),
        "commands_failed": sum(row["commands"]["failed"] for row in run.rounds),
        "command_p99_first_ms": first_commands["p99_ms"], "command_p99_last_ms": last["commands"]["p99_ms"],
        "command_p50_last_ms": last["commands"]["p50_ms"],
        "commands_per_s_last": round(last["commands"]["count"] / last["commands"]["seconds"], 1)
                               if last["commands"]["seconds"] else None,
        "hold": {k: v for k, v in hold.items() if k != "figures"} if hold else None,
        "net": {name: net[name] - run.base["net"][name] for name in net},
    }


def targets(result):
    """(what, measured, bound, met): the figures that were asked for. A miss is printed as one."""
    tls = result["tls"]
    per_agent = 16 * 1024 if tls else 2 * 1024
    rows = [
        ("agents online", result["agents"], f">= {result['wanted']}", result["agents"] >= result["wanted"]),
        ("server user memory, all processes, B per agent", result["server_bytes_per_agent"], f"<= {per_agent}",
         result["server_bytes_per_agent"] <= per_agent),
        ("failed links", result["failures"], "0", result["failures"] == 0),
        ("failed commands", result["commands_failed"], "0", result["commands_failed"] == 0),
        ("balance, max/mean", result["balance"], "<= 1.01", result["balance"] <= 1.01),
    ]
    for name, straight in (("memory linear, R^2", (result["memory_fit"] or [None])[-1]),
                           ("CPU linear in connects, beats, commands, R^2", (result["cpu_fit"] or {}).get("r2"))):
        if straight is not None:
            rows.append((name, round(straight, 5), ">= 0.999", straight >= 0.999))
    if result["hold"]:
        rows.append(("late beats (> 1 s)", result["hold"]["late"], "0", result["hold"]["late"] == 0))
        if result["hold"]["server_us_per_beat"]:
            rows.append(("server CPU per beat, us", result["hold"]["server_us_per_beat"], "<= 8",
                         result["hold"]["server_us_per_beat"] <= 8))
    rows.append(("listen queue overflows, whole machine", result["net"]["ListenOverflows"], "0",
                 result["net"]["ListenOverflows"] == 0))
    return rows


HEAD = (f"{'agents':>9} {'connect':>8} {'us/agent':>8} {'B/agent':>8} {'gateway':>8} {'control':>8} {'slab':>6} "
        f"{'balance':>7} {'cmds':>6} {'p50 ms':>7} {'p99 ms':>7} {'late':>5} {'failed':>6} {'used':>5}")


def print_round(row, base):
    agents, links = row["agents"], row["links"]
    gateways = sum(p["private"] for slot, p in row["server"].items() if slot.startswith("g"))
    balance = max(links) / (sum(links) / len(links)) if sum(links) else 0
    commands = row["commands"]
    print(f"{agents:9} {row['connect_s']:7.1f}s {row['connect_cpu_s'] / max(1, row['added']) * 1e6:8.0f} "
          f"{private(row) / agents:8.0f} {gateways / agents:8.0f} {row['server']['c0']['private'] / agents:8.0f} "
          f"{(row['slab'] - base['memory']['Slab']) / agents:6.0f} {balance:7.4f} {commands['count']:6} "
          f"{commands['p50_ms']:7.1f} {commands['p99_ms']:7.1f} {row['figures']['beats_late']:5} "
          f"{failures(row['figures']) + commands['failed']:6} "
          f"{row['used'] / base['memory']['MemTotal']:5.0%}", flush=True)


def measure(run, out, facts):
    stopped = hold = None
    run.start()
    print(HEAD, flush=True)
    try:
        wanted = 0
        while wanted < run.agents:
            before, wanted = wanted, min(run.agents, wanted + run.step)
            row = run.round(len(run.rounds), wanted)
            row["added"] = wanted - before
            print_round(row, run.base)
            out.write(json.dumps({**facts, **row}) + "\n")
        if run.hold:
            hold = run.rest()
    except (Stopped, KeyboardInterrupt) as why:
        stopped = str(why) or "interrupted"
        print(f"stopped: {stopped}")
        if not run.rounds:
            raise
    return summary(run, stopped, hold)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--agents", type=int, required=True)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--step", type=int, help="agents a round; default 2,000, above 100,000 a fiftieth of all")
    parser.add_argument("--hold", type=int, default=HOLD_SECONDS, help="seconds of rest at the end")
    parser.add_argument("--links-per-second", type=int, default=20000, help="admission.links_per_second")
    parser.add_argument("--no-docs", action="store_true", help="leave docs/benchmarks/ alone")
    arguments = parser.parse_args()
    world_module.set_binaries(arguments.bin)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    step = arguments.step or (SEED_STEP if arguments.agents <= SEED_AGENTS else arguments.agents // ROUNDS)
    world = World(arguments.agents, arguments.tls, arguments.links_per_second)
    facts = {"at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
             "machine": readings.machine(), "load_before": round(os.getloadavg()[0], 2),
             "settings": {f"{s}.{k}": v for s, k, v in world.settings},
             "sysctl": {name: readings.sysctl(name) for name in SYSCTLS}}
    print(f"machine: {facts['machine']}, load {facts['load_before']}\n"
          f"{arguments.agents} agents, {'TLS' if arguments.tls else 'plain'}, {world.gateways} gateways, rounds of {step}; "
          f"settings: {facts['settings']}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    run = Run(world, arguments.agents, step, arguments.hold)
    with open(arguments.out / "scale.jsonl", "a", encoding="utf-8") as out:
        try:
            world.start()
            print(f"enrolled and started after {time.monotonic() - run.began:.0f} s")
            run.began = time.monotonic()
            result = measure(run, out, facts)
            run.end()
        finally:
            run.end()
            world.stop()
        out.write(json.dumps({**facts, **result}) + "\n")
    if not arguments.no_docs:
        document.write(arguments.out / "scale.jsonl", DOCS, targets)
    print()
    for what, value, bound, met in targets(result):
        print(f"{what:50} {value:>12} {bound:>12} {'pass' if met else 'MISS'}")
    print(f"commands: {result['commands']} in all, last round p50 {result['command_p50_last_ms']} ms, "
          f"p99 {result['command_p99_last_ms']} ms (first {result['command_p99_first_ms']} ms), "
          f"{result['commands_per_s_last']}/s; connect {result['server_us_per_connect']} us of server CPU; "
          f"fleet {result['fleet_bytes_per_agent']} B an agent; slab {result['slab_bytes_per_agent']} B; "
          f"wall {result['wall_s']} s")
    if result["hold"]:
        print(f"rest: {result['hold']}")
    return 0 if result["stopped"] is None else 1


if __name__ == "__main__":
    sys.exit(main())
