"""Soak: hours of commands and reconnects; what grows is found by its slope."""
import json
import pathlib
import time

from lab import report
from lab.campaign import Load
from lab.rows import Spec, register
from lab.stack import procs
from lab.trend import FEWEST, Trend
from rows_redis import finish

LONG = Spec(gateways=2, agents=4, proxy=True)
SAMPLE_SECONDS = 5.0
RECONNECT_SECONDS = 5.0
COMMANDS_PER_SECOND = 3.0
LONGEST_WARM_UP_SECONDS = 1200  # heaps, page caches and SQLite's caches fill; then nothing may grow
# What is no growth: pages that come and go, over the time of the slope.
ROOM_BYTES, ROOM_PART, ROOM_DESCRIPTORS = 64 << 10, 0.01, 0.5


class Samples:
    """{"role pid": [(t, Pss, descriptors)]} of every long-lived process."""

    def __init__(self, lab, of=None):
        self.lab, self.of, self.series, self.began = lab, of, {}, time.monotonic()
        self.next_at = 0.0

    def pump(self):
        if time.monotonic() >= self.next_at:
            self.next_at = time.monotonic() + SAMPLE_SECONDS
            self.take()

    def take(self):
        stack = self.lab.stack
        everyone = procs.all_processes()
        ours = stack.backend_processes(everyone) + [procs.Process(stack.backend.pid)]
        for agent in self.lab.agents:
            ours.append(agent.warden())
            ours += [p for p in procs.descendants(agent.process.pid, everyone)
                     if p.argv[1:2] == ["link"]]
        for process in ours:
            role = stack.role_of(process)
            if self.of and role not in self.of:
                continue
            try:
                # A program's file is shared by a changing number of processes: only what is its own.
                size = process.memory("Private_Dirty") + process.memory("Private_Clean")
                fds = len(list(pathlib.Path(f"/proc/{process.pid}/fd").iterdir()))
            except OSError:
                continue
            self.series.setdefault(f"{role} {process.pid}", []).append(
                (time.monotonic() - self.began, size, fds))

    def trends(self, warm_up):
        """{process: (Trend of bytes, Trend of descriptors)}, of the least value in each minute."""
        out = {}
        for key, rows in self.series.items():
            minutes = {}
            for at, size, fds in rows:
                if at >= warm_up:
                    least = minutes.setdefault(int(at // 60), [size, fds])
                    minutes[int(at // 60)] = [min(least[0], size), min(least[1], fds)]
            if len(minutes) >= FEWEST:
                out[key] = tuple(Trend([(60 * m, v[i]) for m, v in sorted(minutes.items())])
                                 for i in (0, 1))
        return out

    def judge(self, figures, minutes):
        """Prints the slopes, keeps the samples, and fails for what grows."""
        report.FOLDER.mkdir(parents=True, exist_ok=True)
        kept = report.FOLDER / f"memory-{self.lab.seed}-{minutes}-minutes.json"
        kept.write_text(json.dumps(self.series))
        self.lab.say(f"  samples (s, bytes, descriptors): {kept}")
        warm_up = min(LONGEST_WARM_UP_SECONDS, minutes * 60 / 3)
        trends = self.trends(warm_up)
        assert trends, f"no process lived for {FEWEST} minutes after {warm_up:.0f} s of warm-up"
        grown, worst = [], {}
        for key, (size, fds) in sorted(trends.items()):
            self.lab.say(f"  {key:20} {size.mean / 1024:8.0f} KiB {size.an_hour / 1024:+8.1f} +- "
                         f"{size.error_an_hour / 1024:.1f} KiB/h, descriptors {fds.an_hour:+6.2f} +- "
                         f"{fds.error_an_hour:.2f}/h")
            role = key.split()[0]
            if role not in worst or size.slope > worst[role].slope:
                worst[role] = size
            if size.is_certain() and size.grown() > ROOM_BYTES + ROOM_PART * size.mean:
                grown.append(f"{key}: {size.grown() / 1024:.0f} KiB in {size.span / 60:.0f} minutes")
            if fds.is_certain() and fds.grown() > ROOM_DESCRIPTORS:
                grown.append(f"{key}: {fds.grown():.1f} descriptors in {fds.span / 60:.0f} minutes")
        for role, size in worst.items():
            figures[f"{role}_kib_h"] = f"{size.an_hour / 1024:+.0f} +- {size.error_an_hour / 1024:.0f}"
        assert not grown, f"grows: {grown}"


@register(id="D12", fault="commands and reconnects (RST of all links) for n minutes", spec=LONG,
          figure="12 hours' worth (1,000 reconnects, 10,000 deliveries): memory and descriptors do not grow",
          n={"nightly": 30, "release": 720, "soak": 60}, must_bite=("reconnects", "deliveries"))
def soak(lab, n):
    load, samples = Load(lab, COMMANDS_PER_SECOND, sleep_ms=100), Samples(lab)
    end = time.monotonic() + n * 60
    next_reset = rest_at = time.monotonic() + 5
    figures = {"minutes": n, "reconnects": 0}
    while time.monotonic() < end:
        now = time.monotonic()
        load.pump(now)
        if now >= next_reset:
            next_reset = now + RECONNECT_SECONDS
            figures["reconnects"] += lab.proxy.reset_all()
        samples.pump()
        if now >= rest_at + 120:  # the checker in between, so that nothing waits for the end
            finish(lab, 60, figures)
            rest_at = time.monotonic()
        time.sleep(0.02)
    finish(lab, 60, figures)
    lab.bites.hit("reconnects", figures["reconnects"])
    lab.bites.hit("deliveries", figures["accepted"])
    samples.judge(figures, n)
    return figures


@register(id="D12-away", fault="the server is away (connections refused) for n minutes",
          figure="30 min: the agents' memory and descriptors flat", spec=LONG,
          n={"nightly": 15, "release": 30}, must_bite=("dials refused",))
def away(lab, n):
    samples = Samples(lab, of=("warden", "link"))
    before = lab.proxy.counts["resets"]
    lab.proxy.path.refuse = True
    lab.proxy.reset_all()
    try:
        end = time.monotonic() + n * 60
        while time.monotonic() < end:
            samples.pump()
            time.sleep(SAMPLE_SECONDS / 5)
    finally:
        lab.proxy.path.refuse = False
    figures = {"minutes": n}
    lab.bites.hit("dials refused", lab.proxy.counts["resets"] - before)
    samples.judge(figures, n)
    finish(lab, 120, figures)
    return figures
