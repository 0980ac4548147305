"""Herds: thousands of simulated agents come back after a gateway or the whole backend has died."""
import json
import signal
import subprocess
import time

from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import BIN, procs, wait_for

HERD = Spec(gateways=2, agents=0)


class Fleet:
    """holdfast-fleet with n agents, all of them linked."""

    def __init__(self, lab, count):
        self.lab, self.count = lab, count
        self.log = open(lab.stack.dir / "fleet.log", "ab")
        self.process = subprocess.Popen(
            [BIN / "holdfast-fleet", "--bundle", lab.stack.bundle("--uses", str(count)), "--agents",
             str(count), "--source-base", "127.1.0.0", "--ramp", "400", "--json"],
            env=lab.stack.env(), stdout=subprocess.PIPE, stderr=self.log,
            preexec_fn=procs.end_with_parent)

    def links(self):
        try:
            return self.lab.stack.metrics().get("holdfast_links", 0)
        except OSError:
            return 0  # the supervisor is not up yet

    def wait(self, count, seconds, why):
        began = time.monotonic()
        wait_for(lambda: self.links() >= count, seconds, lambda: f"{why}: {self.links()} links", 0.1)
        return time.monotonic() - began

    def end(self):
        self.process.send_signal(signal.SIGINT)
        try:
            out, _ = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, _ = self.process.communicate()
        self.log.close()
        return json.loads(out) if out else {}


@register(id="C7", fault="a gateway, then the whole backend killed under n simulated agents",
          figure="gateway: p99 back <= 10 s; backend: >= 99.9 % back <= 60 s", spec=HERD,
          n={"nightly": 2000, "release": 2000},
          must_bite=("links of a gateway lost", "all links lost"))
def herd(lab, n):
    fleet = Fleet(lab, n)
    figures = {"agents": n}
    try:
        figures["first_up_s"] = round(fleet.wait(n, bound(lab, 60 + n / 50), "ramp"), 1)
        victim = lab.stack.processes("gateway")[0]
        victim.kill()
        wait_for(lambda: fleet.links() < n, 10, "no link was lost", 0.02)
        lost = n - fleet.links()
        lab.bites.hit("links of a gateway lost", lost)
        took = fleet.wait(n - lost * 0.01, bound(lab, 60), "after a gateway's death")
        figures["gateway_p99_s"] = round(took, 1)
        fleet.wait(n, bound(lab, 60), "the last ones")
        lab.stack.kill_backend()
        lab.bites.hit("all links lost", n)
        began = time.monotonic()
        lab.stack.start()
        fleet.wait(n * 0.999, bound(lab, 120), "after the backend's death")
        figures["backend_999_s"] = round(time.monotonic() - began, 1)
        peak = max(p.peak_rss() for p in lab.stack.processes("gateway"))
        figures["gateway_peak_mib"] = peak >> 20
    finally:
        report = fleet.end()
    figures["dials"] = report.get("dials", 0)
    assert figures["gateway_p99_s"] <= bound(lab, 10.0), figures
    assert figures["backend_999_s"] <= bound(lab, 60.0), figures
    return figures
