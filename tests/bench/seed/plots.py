"""Plots like those of the seed, as SVG: elapsed, CPU per message, memory, connections of each worker."""
try:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
except ImportError:  # figures do not depend on pictures
    pyplot = None

OURS = "#c0392b"
OTHERS = ["#2c3e50", "#2980b9", "#16a085", "#8e44ad", "#d68910", "#7f8c8d", "#27ae60", "#34495e"]
KB = 1024


def colours(order):
    others = iter(OTHERS * 2)
    return {peer: OURS if peer.startswith("holdfast") else next(others) for peer in order}


def save(figure, path):
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})  # the same rows, the same bytes
    pyplot.close(figure)


def by_clients(figures, order, key, label, path):
    figure, axes = pyplot.subplots(figsize=(8, 5))
    paint = colours(order)
    for peer in order:
        points = sorted({row["n"] for row in figures.good
                         if row["id"] == "B1" and row["peer"] == peer and row["send"] == "together"})
        if points:
            style = "--" if peer.endswith("2 workers") else "-"
            axes.plot(points, [figures.median(key, peer, "B1", n, send="together") for n in points], style,
                      marker="o", markersize=3, color=paint[peer], label=peer)
    axes.set_xlabel("clients, each with all its requests at once")
    axes.set_ylabel(label)
    axes.set_yscale("log")
    axes.grid(True, which="both", alpha=0.25)
    axes.legend(fontsize=8)
    save(figure, path)


def memory(figures, order, path):
    n = figures.largest("B4")
    known = [peer for peer in order if figures.median("bytes_user", peer, "B4", n) is not None]
    figure, axes = pyplot.subplots(figsize=(8, 4))
    paint = colours(order)
    values = [figures.median("bytes_user", peer, "B4", n) / KB for peer in known]
    bars = axes.barh(known, values, color=[paint[peer] for peer in known])
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.invert_yaxis()
    axes.set_xlabel(f"user memory of a connection, KB, {n:,} idle connections")
    save(figure, path)


def balance(figures, order, path):
    n = figures.largest("B4")
    known = [peer for peer in order if any(len(workers) > 1 for workers in
                                           figures.all("per_worker", peer, "B4", n))]
    figure, axes = pyplot.subplots(figsize=(8, 4))
    paint = colours(order)
    for at, peer in enumerate(known):
        workers = figures.all("per_worker", peer, "B4", n)[0]
        for worker, links in enumerate(workers):
            bar = axes.bar(at + 0.42 * worker - 0.21, links, width=0.4, color=paint[peer])
            axes.bar_label(bar, fmt="%d", padding=2)
    axes.set_xticks(range(len(known)))
    axes.set_xticklabels(known)
    axes.set_ylabel(f"connections of each worker, of {n:,}")
    save(figure, path)


def draw(figures, out, order):
    """False: there is nothing to draw with."""
    if pyplot is None:
        return False
    matplotlib.rcParams.update({"svg.hashsalt": "holdfast", "svg.fonttype": "none", "font.size": 9})
    by_clients(figures, order, "wall_s", "elapsed, s: first request to last answer", out / "seed-elapsed.svg")
    by_clients(figures, order, "cpu_us_per_msg", "server CPU per message, us", out / "seed-cpu.svg")
    memory(figures, order, out / "seed-memory.svg")
    balance(figures, order, out / "seed-balance.svg")
    return True
