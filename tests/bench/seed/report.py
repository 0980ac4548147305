"""Rows of the seed's experiment as text: targets, tables and plots, all from the rows alone."""
import statistics

import plots

BEGIN = "<!-- What follows is written by `./dev bench seed`; by hand it is changed in vain. -->"
END = "<!-- Until here. -->"
OURS, OURS_2 = "holdfast", "holdfast, 2 workers"
GUNICORN = "aiohttp+uvloop+gunicorn, 2 workers"
KERNEL_BYTES = 4.1 * 1024  # of one end of a loopback connection, from slab sizes
KB = 1024
ALONE_PERCENT = 85  # of its core that a server of one process uses, while requests wait and nothing disturbs it


def line(row):
    """One row, as the run shows it."""
    if "problem" in row:
        return f"{row['id']} {row['n'] or ''}: {row['problem']}"
    if row["id"] == "B4":
        return (f"memory, {row['n']} links: {row['bytes_user']:.0f} B user, {row['bytes_kernel']:.0f} B "
                f"kernel each; per worker {row['per_worker']}")
    cost = f"{row['cpu_us_per_msg']:.2f} us/message"
    if row["id"] == "B3":
        return f"ping-pong, {row['n']} links: {cost}, {row['per_s']:.0f}/s, p99 {row['p99']:.1f} ms"
    return (f"{row['n']:6} clients ({row['send']}): {row['wall_s']:.2f} s, {cost}, answered {row['answered']} of "
            f"{row['total']}, reconnects {row['reconnects']}")


class Figures:
    """Medians of the rows that measured something."""

    def __init__(self, rows):
        self.rows = rows
        self.good = [row for row in rows if "problem" not in row]

    def largest(self, kind):
        return max((row["n"] for row in self.good if row["id"] == kind), default=0)

    def all(self, key, peer, kind, n, send=None):
        return [row[key] for row in self.good if row["id"] == kind and row["peer"] == peer and row["n"] == n
                and row.get("send") == send and key in row]

    def median(self, *which, **more):
        values = self.all(*which, **more)
        return statistics.median(values) if values else None

    def problem(self, peer):
        return next((row["problem"] for row in self.rows if row["peer"] == peer and "problem" in row), "")


def targets(figures):
    """(what, measured, bound, met) or met None where a part was not measured."""
    n = figures.largest("B1")

    def ratio(what, key, ours, theirs, bound, kind="B1", at=None, send="together"):
        send = send if kind == "B1" else None
        at = n if at is None else at
        a = figures.median(key, ours, kind, at, send=send)
        b = figures.median(key, theirs, kind, at, send=send)
        value = None if a is None or not b else a / b
        return (what, "not measured" if value is None else f"1/{1 / value:.1f}", f"1/{1 / bound:g}",
                None if value is None else value <= bound)

    def at_most(what, value, bound, unit):
        return (what, "not measured" if value is None else f"{value:.2f} {unit}", f"{bound:g} {unit}",
                None if value is None else value <= bound)

    for send in ("together", "each"):
        for peer, bound in (("aiohttp+uvloop", 10), ("ws", 4), ("websockets", 12), ("aiohttp", 15),
                            ("autobahn+uvloop", 20)):
            yield ratio(f"CPU per message of {peer}, {n:,} clients, requests {send}", "cpu_us_per_msg", OURS,
                        peer, 1 / bound, send=send)
        yield ratio(f"elapsed of {GUNICORN}, by 2 workers, requests {send}", "wall_s", OURS_2, GUNICORN, 1 / 5,
                    send=send)
        yield ratio(f"elapsed of {GUNICORN}, by 1 process, requests {send}", "wall_s", OURS, GUNICORN, 1 / 10,
                    send=send)
    ours = [row for row in figures.good if row["id"] == "B1" and row["peer"] in (OURS, OURS_2)]
    if ours:
        lost = sum(row["total"] - row["answered"] for row in ours)
        yield ("all requests answered, in every round", f"{lost} lost", "0 lost", lost == 0)
        again = sum(row["reconnects"] for row in ours)
        yield ("connections that had to be made again", str(again), "0", again == 0)
    full = [row for row in figures.good if row["id"] == "B2" and row["peer"] == OURS]
    if len(full) > 2:
        lost = sum(row["total"] - row["answered"] for row in full)
        fit = statistics.correlation([row["n"] for row in full], [row["wall_s"] for row in full]) ** 2
        asked = sum(row["total"] for row in full)
        yield (f"the article's {len(full)} rounds, {asked / 1e6:.2f} M requests", f"{lost} lost", "0 lost", lost == 0)
        yield ("elapsed linear in clients over those rounds", f"R2 {fit:.4f}", "R2 0.995", fit >= 0.995)
    for peer in ("ws", "aiohttp+uvloop"):
        yield ratio(f"ping-pong: CPU per message of {peer}, 1,000 links", "cpu_us_per_msg", OURS, peer, 1 / 3,
                    kind="B3", at=1000)
    least, most = (figures.median("cpu_us_per_msg", OURS, "B3", at) for at in (1000, 19000))
    yield at_most("ping-pong: CPU per message at 19,000 links, of that at 1,000",
                  most / least if least and most else None, 1.1, "x")
    n = figures.largest("B4")
    user = figures.median("bytes_user", OURS, "B4", n)
    yield at_most(f"user memory of a link, {n:,} links", user / KB if user is not None else None, 1.4, "KB")
    for peer, bound in (("ws", 7), ("aiohttp", 11), ("websockets", 12)):
        yield ratio(f"user memory of {peer}", "bytes_user", OURS, peer, 1 / bound, kind="B4", at=n)
    kernel = figures.median("bytes_kernel", OURS, "B4", n)
    yield at_most("kernel memory of a link, of the 4.1 KB calculated",
                  kernel / KERNEL_BYTES if kernel is not None else None, 1.02, "x")


def table(head, rows):
    rows = [[str(cell) for cell in row] for row in rows]
    return "\n".join(["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]])


def number(value, digits=2):
    return "" if value is None else f"{value:,.{digits}f}"


def spread(values, digits=2):
    """Median, and least to most."""
    if not values:
        return ""
    if len(values) == 1:
        return number(values[0], digits)
    return f"{number(statistics.median(values), digits)} ({number(min(values), digits)}-{number(max(values), digits)})"


def busy_percent(figures, peer, send, us_key):
    """How much of the elapsed time the processor worked for it, of one core; median, None if not measured."""
    n = figures.largest("B1")
    cost, total, wall = (figures.all(key, peer, "B1", n, send=send) for key in (us_key, "total", "wall_s"))
    values = [100 * us * asked / 1e6 / s for us, asked, s in zip(cost, total, wall)]
    return statistics.median(values) if values else None


def disturbed(figures, order, send):
    """Peers of one process that had requests waiting, and yet did not get their core."""
    for peer in order:
        busy = busy_percent(figures, peer, send, "cpu_us_per_msg")
        workers = {row["workers"] for row in figures.good if row["peer"] == peer}
        if not peer.startswith(OURS) and workers == {1} and busy is not None and busy < ALONE_PERCENT:
            yield peer


def burst_table(figures, order, send):
    n = figures.largest("B1")
    rows = []
    for peer in order:
        def values(key):
            return figures.all(key, peer, "B1", n, send=send)
        if not values("wall_s"):
            rows.append([peer, figures.problem(peer) or "not measured"] + [""] * 7)
            continue
        answered, total = sum(values("answered")), sum(values("total"))
        busy = [busy_percent(figures, peer, send, key) for key in ("cpu_us_per_msg", "client_us_per_msg")]
        rows.append([peer, spread(values("cpu_us_per_msg")), spread(values("wall_s")),
                     f"{100 * answered / total:.4g} %", sum(values("reconnects")),
                     number(statistics.median(values("p50")), 0), number(statistics.median(values("p99")), 0),
                     *(f"{one:.0f} %" for one in busy)])
    text = table(["server", "CPU us per message", "elapsed s", "answered", "reconnects", "p50 ms", "p99 ms",
                  "server worked", "client worked"], rows)
    shared = list(disturbed(figures, order, send))
    if shared:
        text += ("\n\nSomething else ran on this machine beside " + ", ".join(shared) + ", which did not have a core "
                 "for themselves: their elapsed times, p50 and p99 are far too long, their CPU per message is somewhat high.")
    return text


def rounds_table(figures, order, key, digits):
    sizes = sorted({row["n"] for row in figures.good if row["id"] == "B1" and row["send"] == "together"})
    rows = [[peer, *(number(figures.median(key, peer, "B1", n, send="together"), digits) for n in sizes)]
            for peer in order]
    return table(["server", *(f"{n:,}" for n in sizes)], rows)


def ping_pong_table(figures, order):
    sizes = sorted({row["n"] for row in figures.good if row["id"] == "B3"})
    rows = []
    for peer in order:
        cells = []
        for n in sizes:
            cost = figures.median("cpu_us_per_msg", peer, "B3", n)
            rate, p99 = (figures.median(key, peer, "B3", n) for key in ("per_s", "p99"))
            cells.append("" if cost is None else f"{cost:.1f} us, {rate / 1000:.0f}k/s, {p99:.0f} ms")
        rows.append([peer, *cells])
    return table(["server", *(f"{n:,} links" for n in sizes)], rows)


def memory_table(figures, order):
    n = figures.largest("B4")
    rows = []
    for peer in order:
        user, kernel, base, connect = (figures.median(key, peer, "B4", n) for key in
                                       ("bytes_user", "bytes_kernel", "base_bytes", "connection_time_s"))
        if user is None:
            continue
        workers = figures.all("per_worker", peer, "B4", n)[0]
        even = max(workers) / (sum(workers) / len(workers)) if workers else 0
        rows.append([peer, number(user / KB), number(kernel / KB), number(base / 2**20, 1), number(connect),
                     " + ".join(f"{some:,}" for some in workers), f"{even:.3f}"])
    return table(["server", "user KB a link", "kernel KB a link", "processes without links, MB",
                  f"{n:,} connected in s", "links of each worker", "max/mean"], rows)


def versions(figures, order):
    said = {row["peer"]: (row.get("version", ""), row["at"], row["load_before"]) for row in figures.good}
    rows = [[peer, said[peer][0], said[peer][1], number(said[peer][2])] for peer in order if peer in said]
    return table(["server", "version", "measured at", "load before"], rows)


def markdown(figures, order):
    machines = sorted({row["machine"] for row in figures.rows})
    drops = sorted({f"{row['peer']} ({row['id']})" for row in figures.good if row.get("listen_drops")})
    marks = {True: "pass", False: "MISS", None: ""}
    parts = [
        f"Measured on: {'; '.join(machines)}. A backlog of this machine was full while these connected, so that "
        f"the kernel dialled again after a second and their times to connect count for nothing: "
        f"{', '.join(drops) or 'none'}.",
        "## Targets", table(["ours, as a part of", "measured", "target", ""],
                            [[what, value, bound, marks[met]] for what, value, bound, met in targets(figures)]),
        f"## The last round, {figures.largest('B1'):,} clients", "Median (least-most) of the repeats.",
        "All requests of a client in one `send()`:", burst_table(figures, order, "together"),
        "Each request in a `send()` of its own:", burst_table(figures, order, "each"),
        "## All rounds", "CPU us per message, by clients:", rounds_table(figures, order, "cpu_us_per_msg", 2),
        "Elapsed s, by clients:", rounds_table(figures, order, "wall_s", 2),
        "![Elapsed time against clients](seed-elapsed.svg)", "![CPU per message](seed-cpu.svg)",
        "## Ping-pong", "CPU per message, messages per second, p99:", ping_pong_table(figures, order),
        "## Memory and balance", memory_table(figures, order),
        "![Memory of a connection](seed-memory.svg)", "![Connections of each worker](seed-balance.svg)",
        "## Versions", versions(figures, order),
    ]
    return "\n\n".join(parts)


def write(rows, out, order):
    """Writes OUT/seed.md between its marks, and the plots; returns what the run ends with."""
    figures = Figures(rows)
    path = out / "seed.md"
    text = path.read_text(encoding="utf-8") if path.exists() else f"{BEGIN}\n{END}\n"
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n\n{markdown(figures, order)}\n\n{END}{after}", encoding="utf-8")
    drawn = plots.draw(figures, out, order)
    lines = [f"{'ours, as a part of':74} {'measured':>12} {'target':>8}"]
    for what, value, bound, met in targets(figures):
        lines.append(f"{what:74} {value:>12} {bound:>8} {'' if met is None else 'pass' if met else 'MISS'}")
    return "\n".join([*lines, f"all of it: {path}" + ("" if drawn else " (without plots: no matplotlib)")])
