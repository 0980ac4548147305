"""docs/benchmarks/scale.md and its plots, out of build/bench/scale.jsonl: no figure there is typed by hand."""
import json
import pathlib

from scale.fit import server_cpu

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def load(path):
    """[(result, its rounds)], the newest of each (wanted agents, TLS)."""
    runs, rounds = {}, {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["kind"] == "round":
            rounds.setdefault(row["at"], []).append(row)
        elif row["kind"] == "result":
            its_rounds = rounds.get(row["at"], [])
            row["cpu_fit"] = server_cpu(its_rounds)
            runs[(row["tls"], row["wanted"])] = (row, its_rounds)
    return [runs[key] for key in sorted(runs)]


def number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def verdict(met):
    return "met" if met else "**missed**"


def name_of(result):
    reached = "" if result["agents"] == result["wanted"] else f" of {result['wanted']:,}"
    return f"{result['agents']:,}{reached} {'TLS' if result['tls'] else 'plain'}"


def tables(runs, targets):
    heads = ["", *(name_of(result) for result, _ in runs)]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]

    def row(what, cell):
        lines.append(f"| {what} | " + " | ".join(cell(result) for result, _ in runs) + " |")
    row("gateways, rounds of", lambda r: f"{r['gateways']}, {r['step']:,}")
    row("load before the run", lambda r: number(r["load_before"], 2))
    row("server user memory an agent, all processes (B)", lambda r: number(r["server_bytes_per_agent"]))
    row("... gateways / control / Redis and supervisor", lambda r: " / ".join(number(r[f"{part}"]) for part in (
        "gateway_bytes_per_link", "control_bytes_per_agent", "other_bytes_per_agent")))
    row("kernel slab an agent, both ends and files (B)", lambda r: number(r["slab_bytes_per_agent"]))
    row("simulator an agent (B)", lambda r: number(r["fleet_bytes_per_agent"]))
    row("memory of the machine in use", lambda r: f"{r['used_share']:.0%}")
    row("server CPU per connect (us)", lambda r: number(r["server_us_per_connect"]))
    row("connecting, all rounds (s)", lambda r: number(r["connect_s"]))
    row("dial to Welcome p50 / p99 (ms)", lambda r: f"{r['connect_p50_ms']} / {r['connect_p99_ms']}")
    row("links a gateway, max/mean", lambda r: number(r["balance"], 4))
    row("memory linear, R^2; each agent more (B)", lambda r: "-" if not r["memory_fit"] else
        f"{r['memory_fit'][2]:.5f}; {r['memory_fit'][0]:,.0f}")
    row("server CPU = a connect (us) + a beat (us) + a command (us); R^2", lambda r: "-" if not r["cpu_fit"] else
        "{connect_us:,.0f}, {beat_us:,.0f}, {command_us:,.0f}; {r2:.5f}".format(**r["cpu_fit"]))
    row("beats answered, late by more than 1 s", lambda r: f"{r['beats']:,}, {r['beats_late']}")
    row("server CPU per beat at rest (us)", lambda r: number((r["hold"] or {}).get("server_us_per_beat"), 1))
    row("sessions: ended, longest (s)", lambda r: f"{r['sessions_ended']}, {r['session_longest_s']}")
    row("failed links, failed commands", lambda r: f"{r['failures']}, {r['commands_failed']}")
    row("commands, each signed and verified", lambda r: number(r["commands"]))
    row("command p50 / p99 in the last round (ms)",
        lambda r: f"{number(r['command_p50_last_ms'], 1)} / {number(r['command_p99_last_ms'], 1)}")
    row("... p99 in the first round (ms)", lambda r: number(r["command_p99_first_ms"], 1))
    row("ended because", lambda r: r["stopped"] or "all agents were there")
    lines += ["", "| target | run | measured | |", "|---|---|---|---|"]
    for result, _ in runs:
        for what, value, bound, met in targets(result):
            lines.append(f"| {what} {bound} | {name_of(result)} | {number(value, 0 if isinstance(value, int) else 5)} "
                         f"| {verdict(met)} |")
    newest = runs[-1][0]
    sysctls = ", ".join(f"{key} = {value}" for key, value in newest["sysctl"].items())
    lines += ["", f"Machine: {newest['machine']}; client and server on the same cores. Settings that differ from the "
              "defaults: " + ", ".join(f"`{key}`" for key in newest["settings"]) +
              f" (the run prints them). The system's own, unchanged: {sysctls}."]
    return "\n".join(lines)


def plot(runs, folder):
    import matplotlib  # pylint: disable=import-outside-toplevel
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "holdfast"  # the same figures make the same file
    from matplotlib import pyplot  # pylint: disable=import-outside-toplevel
    private = lambda row, slots: sum(p["private"] for s, p in row["server"].items() if s.startswith(slots)) / 1e6

    def draw(file, title, y_label, series):
        figure, axes = pyplot.subplots(figsize=(7, 4))
        for label, points in series:
            if points:
                axes.plot(*zip(*points), label=label, marker=".", linewidth=1)
        axes.set(title=title, xlabel="agents connected", ylabel=y_label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        figure.tight_layout()
        figure.savefig(folder / file, metadata={"Date": None})
        pyplot.close(figure)

    def each(value):
        return [(name_of(result), [(row["agents"], value(row)) for row in rounds]) for result, rounds in runs]

    def cpu(rounds):
        spent, points = 0, []
        for row in rounds:
            spent += row["connect_cpu_s"]
            points.append((row["agents"], spent))
        return points

    memory = []
    for result, rounds in runs:
        for part, slots in (("gateways", "g"), ("control", "c")):
            memory.append((f"{part}, {name_of(result)}", [(row["agents"], private(row, slots)) for row in rounds]))
    draw("scale-memory.svg", "Private memory of the server's processes", "MB", memory)
    draw("scale-cpu.svg", "CPU time of the server to connect them", "s",
         [(name_of(result), cpu(rounds)) for result, rounds in runs])
    draw("scale-balance.svg", "Links per gateway, max/mean", "",
         each(lambda row: max(row["links"]) / (sum(row["links"]) / len(row["links"]))))
    draw("scale-commands.svg", "A command of one per cent of all, p99", "ms", each(lambda row: row["commands"]["p99_ms"]))
    draw("scale-connect.svg", "Agents welcomed a second", "1/s",
         each(lambda row: row["added"] / row["connect_s"] if row["connect_s"] else 0))
    draw("scale-slab.svg", "Kernel slab", "MB", each(lambda row: row["slab"] / 1e6))


def write(jsonl, folder, targets):
    runs = load(jsonl)
    if not runs:
        return
    page = folder / "scale.md"
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    page.write_text(before + BEGIN + "\n" + tables(runs, targets) + "\n" + END + after, encoding="utf-8")
    plot(runs, pathlib.Path(folder))
