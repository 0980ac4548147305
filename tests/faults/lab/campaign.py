"""Kills: load on every agent, and kill -9 of processes chosen by the seed, round after round.

    round = load + kills for some seconds -> revive -> quiesce -> checker

One thread drives all: it starts command lines, kills, and starts again what is due, and never waits
for any of them.
"""
import time

from .faults import BACKEND_SIDE
from .stack import procs

TICK_SECONDS = 0.02
# How often each kind is chosen. A killed control or supervisor stops the whole service for a
# moment, so that more of them would only make the others miss.
WEIGHTS = {"link": 26, "warden": 24, "keeper": 22, "worker": 10, "gateway": 10, "redis": 5,
           "control": 5, "supervisor": 1}
# Between two kills of the same kind on the backend, which is one for all agents.
BACKEND_REST_SECONDS = {"gateway": 1.0, "redis": 4.0, "control": 6.0, "supervisor": 20.0}


class Load:
    """Marked commands at a rate, to random sets of agents: mostly exec, some query and get."""

    def __init__(self, lab, per_second, most_targets=None, sleep_ms=900):
        self.lab, self.every, self.sleep_ms = lab, 1.0 / per_second, sleep_ms
        self.most_targets = most_targets or len(lab.agents)
        self.next_at = 0.0

    def pump(self, now):
        lab = self.lab
        lab.client.pump()
        if now < self.next_at or lab.client.busy():
            return
        self.next_at = now + self.every * lab.rng.uniform(0.5, 1.5)
        targets = lab.rng.sample(lab.agents, lab.rng.randint(1, self.most_targets))
        dice = lab.rng.random()
        if dice < 0.80:
            mark, argv = lab.marks.exec(targets, lab.rng.randrange(self.sleep_ms),
                                        lab.rng.choice((0, 1, 1, 40, 4000)))
        elif dice < 0.92:
            mark, argv = lab.marks.query(targets)
        else:
            mark, argv = lab.marks.get(targets[:4], 5 * 256 * 1024 - 77)
        lab.client.submit(mark, argv)


class Killer:
    def __init__(self, lab, per_second, weights=None):
        self.lab, self.every = lab, 1.0 / per_second
        self.weights = dict(weights or WEIGHTS)
        self.next_at = time.monotonic() + self.every
        self.last = {}
        self.done = 0

    def pump(self, now):
        if now < self.next_at:
            return
        # A late one is not made up for: a busy machine gets fewer, not a burst.
        self.next_at = now + self.every * self.lab.rng.uniform(0.3, 1.7)
        ready = {role: weight for role, weight in self.weights.items()
                 if role not in BACKEND_SIDE
                 or now - self.last.get(role, 0.0) >= BACKEND_REST_SECONDS[role]}
        everyone = procs.all_processes()
        for _ in range(8):  # a kind that is not there just now gives way to another
            role = self.lab.rng.choices(list(ready), ready.values())[0]
            if self.lab.kill(role, everyone):
                self.last[role] = now
                self.done += 1
                return


def run_round(lab, seconds, most_kills, load, killer):
    """Load and kills until the time or the number of kills is up; then rest and the checker."""
    end = time.monotonic() + seconds
    killer.done = 0
    killer.next_at = time.monotonic() + 0.5
    while time.monotonic() < end and killer.done < most_kills:
        now = time.monotonic()
        load.pump(now)
        killer.pump(now)
        lab.revive()
        time.sleep(TICK_SECONDS)
    took = lab.quiesce()
    return took, lab.judge()


def campaign(lab, kills, weights=None, kills_per_second=4.0, commands_per_second=2.0,
             round_seconds=60.0, say=None, most_seconds=6 * 3600.0):
    """Rounds until so many kills were done. -> figures. Raises at the first violation."""
    load, killer = Load(lab, commands_per_second), Killer(lab, kills_per_second, weights)
    figures = {"kills": 0, "rounds": 0, "deliveries": 0, "verified": 0, "lost": 0, "doubled": 0,
               "quiesced_s": 0.0}
    began = time.monotonic()
    while figures["kills"] < kills:
        if time.monotonic() - began > most_seconds:
            raise AssertionError(f"{figures['kills']} of {kills} kills after {most_seconds} s")
        took, verdict = run_round(lab, round_seconds, kills - figures["kills"], load, killer)
        figures["kills"] += killer.done
        figures["rounds"] += 1
        figures["deliveries"] += verdict.counts["accepted"]
        figures["verified"] += verdict.counts["verified"]
        figures["lost"] += verdict.lost
        figures["doubled"] += verdict.doubled
        figures["quiesced_s"] = round(max(figures["quiesced_s"], took), 1)
        if say:
            say(f"{figures['kills']}/{kills} kills, {figures['deliveries']} deliveries,"
                f" {verdict.lost} lost, {verdict.doubled} doubled, rest after {took:.1f} s,"
                f" {dict(verdict.outcomes)}")
        verdict.require_clean()
    return figures
