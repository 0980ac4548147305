"""Soak: hours of commands and reconnects; what grows is found by its slope."""
import pathlib
import time

from lab.campaign import Load
from lab.rows import Spec, register
from lab.stack import procs
from rows_redis import finish

LONG = Spec(gateways=2, agents=4, proxy=True)
SAMPLE_SECONDS = 10.0
RECONNECT_SECONDS = 7.0
# Of the smallest value in the last third against the smallest in the middle third.
RSS_ROOM_BYTES, RSS_ROOM_PART, FD_ROOM = 512 << 10, 0.01, 1


class Samples:
    """{"role pid": [(t, rss, fds)]} of every long-lived process."""

    def __init__(self, lab):
        self.lab, self.series, self.began = lab, {}, time.monotonic()

    def take(self):
        stack = self.lab.stack
        everyone = procs.all_processes()
        ours = procs.descendants(stack.backend.pid, everyone) + [procs.Process(stack.backend.pid)]
        for agent in self.lab.agents:
            ours.append(agent.warden())
            ours += [p for p in procs.descendants(agent.process.pid, everyone)
                     if p.argv[1:2] == ["link"]]
        for process in ours:
            try:
                rss = process.memory("Rss")
                fds = len(list(pathlib.Path(f"/proc/{process.pid}/fd").iterdir()))
            except OSError:
                continue
            key = f"{stack.role_of(process)} {process.pid}"
            self.series.setdefault(key, []).append((time.monotonic() - self.began, rss, fds))

    def slopes(self):
        """{process: (bytes an hour, descriptors an hour)} over the last two thirds."""
        out = {}
        for key, rows in self.series.items():
            rows = rows[len(rows) // 3:]
            if len(rows) >= 6:
                out[key] = tuple(slope([(r[0] / 3600, r[i]) for r in rows]) for i in (1, 2))
        return out

    def growers(self):
        """What is larger at the end than in the middle, beyond noise."""
        found = []
        for key, rows in self.series.items():
            third = len(rows) // 3
            if third < 3:
                continue
            for index, name, room in ((1, "RSS", RSS_ROOM_BYTES), (2, "descriptors", FD_ROOM)):
                middle = min(r[index] for r in rows[third:2 * third])
                last = min(r[index] for r in rows[2 * third:])
                if last > middle * (1 + (RSS_ROOM_PART if index == 1 else 0)) + room:
                    found.append(f"{key}: {name} {middle} -> {last}")
        return found


def slope(points):
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    below = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / below if below else 0.0


@register(id="SOAK", fault="commands and reconnects (RST of all links) for n minutes", spec=LONG,
          figure="12 hours' worth (1,000 reconnects, 10,000 commands): no growth of RSS or descriptors",
          n={"nightly": 20, "release": 720, "soak": 60}, must_bite=("reconnects", "commands"))
def soak(lab, n):
    load, samples = Load(lab, 3.0, sleep_ms=100), Samples(lab)
    end = time.monotonic() + n * 60
    next_sample = next_reset = rest_at = time.monotonic() + 5
    figures = {"minutes": n}
    while time.monotonic() < end:
        now = time.monotonic()
        load.pump(now)
        if now >= next_reset:
            next_reset = now + RECONNECT_SECONDS
            lab.bites.hit("reconnects", lab.proxy.reset_all())
        if now >= next_sample:
            next_sample = now + SAMPLE_SECONDS
            samples.take()
        if now >= rest_at + 120:  # the checker in between, so that nothing waits for the end
            finish(lab, 60, figures)
            rest_at = time.monotonic()
        time.sleep(0.02)
    finish(lab, 60, figures)
    lab.bites.hit("commands", figures["accepted"])
    for key, (rss, fds) in sorted(samples.slopes().items()):
        lab.say(f"  {key:20} RSS {rss / 1024:+9.0f} KiB/h  descriptors {fds:+6.2f}/h")
        role = key.split()[0]
        figures[f"{role}_kib_h"] = max(figures.get(f"{role}_kib_h", -1 << 30), round(rss / 1024))
    grown = samples.growers()
    assert not grown, f"grows: {grown}"
    return figures


@register(id="D12-away", fault="the server is away (connections refused) for n minutes",
          figure="30 min: agents' memory and descriptors flat", spec=LONG,
          n={"nightly": 5, "release": 30}, must_bite=("dials refused",))
def away(lab, n):
    samples = Samples(lab)
    before = lab.proxy.counts["resets"]
    lab.proxy.path.refuse = True
    lab.proxy.reset_all()
    try:
        end = time.monotonic() + n * 60
        while time.monotonic() < end:
            samples.take()
            time.sleep(SAMPLE_SECONDS / 2)
    finally:
        lab.proxy.path.refuse = False
    lab.bites.hit("dials refused", lab.proxy.counts["resets"] - before)
    grown = [g for g in samples.growers() if g.startswith(("warden", "link"))]
    assert not grown, f"grows: {grown}"
    figures = {"minutes": n}
    finish(lab, 120, figures)
    return figures
