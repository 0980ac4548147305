"""Bad paths between agents and the backend, made by the TCP proxy."""
import statistics
import time

from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for
from proxy.tcp_proxy import Path
from rows_redis import finish

PATHS = Spec(gateways=2, agents=2, proxy=True)
MIB = 1 << 20


def healed(lab):
    lab.proxy.path = Path()


def fetch(lab, agents, size, seconds):
    """A get that was begun now; the seconds until it has ended DONE at every agent."""
    mark, argv = lab.marks.get(agents, size)
    lab.client.submit(mark, argv)
    lab.client.drain()
    assert mark.status == "ok", mark.words
    began = time.monotonic()
    wait_for(lambda: is_over(lab, mark), seconds, f"{size} bytes do not arrive", every=0.5)
    return time.monotonic() - began


def is_over(lab, mark):
    return all(row["job"] != mark.job for row in lab.stack.holdfast("jobs", "--open").json())


def round_trip(lab, agents, seconds):
    """A small command; its seconds."""
    began = time.monotonic()
    answers = lab.stack.holdfast("query", ",".join(a.id for a in agents), "SELECT 1 AS one",
                                 "--wait", f"{int(seconds)}s", expect=None, timeout=seconds + 30).json()
    assert all(a["outcome"] == "DONE" for a in answers), answers
    return time.monotonic() - began


@register(id="C6", fault="every connection reset (RST) after 1 to 5 s, at 1.5 MB/s; n MiB",
          figure="goodput >= 70 %, re-sent <= 10 %, SHA ok", spec=PATHS,
          n={"commit": 8, "nightly": 100, "release": 100}, must_bite=("resets during the upload",))
def resets(lab, n):
    rate = 1.5e6
    size = n * MIB
    before = dict(lab.proxy.counts)
    lab.proxy.path = Path(bytes_per_s=rate, reset_after_s=(1.0, 5.0))
    lab.proxy.reset_all()
    try:
        took = fetch(lab, lab.agents[:1], size, bound(lab, 60 + 4 * size / rate))
    finally:
        healed(lab)
        lab.proxy.reset_all()
    count = {name: lab.proxy.counts[name] - before[name] for name in before}
    lab.bites.hit("resets during the upload", count["resets"] - 2)
    # TLS and frames around the bytes are 1 to 2 %; they count as sent again here.
    figures = {"mib": n, "seconds": round(took, 1), "resets": count["resets"],
               "sent_again_percent": round(100 * (count["taken_up"] / size - 1), 1),
               "goodput_percent": round(100 * size / rate / took, 1)}
    finish(lab, 60, figures)
    assert figures["sent_again_percent"] <= 10, figures
    # Of the share of time that there is a link at all: a redial costs 0.5 s on average.
    assert figures["goodput_percent"] >= 70 or lab.stretched > 1.3, figures
    return figures


@register(id="C5", fault="64 kbit/s, 1 s round trip; n KiB are fetched, and commands meanwhile",
          figure="ok; a command meanwhile <= 2 round trips + 500 ms", spec=PATHS,
          n={"nightly": 2048, "release": 10240}, must_bite=("commands meanwhile",))
def slow(lab, n):
    lab.proxy.path = Path(bytes_per_s=8000, latency_s=0.5)
    times = []
    try:
        mark, argv = lab.marks.get(lab.agents[:1], n * 1024)
        lab.client.submit(mark, argv)
        lab.client.drain()
        time.sleep(5.0)  # the path is full by then
        end = time.monotonic() + bound(lab, 60 + 3 * n * 1024 / 8000)
        while not is_over(lab, mark):
            assert time.monotonic() < end, f"{n} KiB do not arrive; commands took {times}"
            times.append(round_trip(lab, lab.agents[:1], 60))
            lab.bites.hit("commands meanwhile")
            time.sleep(1.0)
    finally:
        healed(lab)
    figures = {"kib": n, "commands": len(times), "slowest_command_s": round(max(times), 2),
               "median_command_s": round(statistics.median(times), 2)}
    finish(lab, 60, figures)
    assert statistics.median(times) <= bound(lab, 2.5), figures
    return figures


@register(id="C1", fault="partition: nothing passes for n s, connections stay",
          figure="delivered <= 5 s after it heals", spec=PATHS,
          n={"commit": 5, "nightly": 300, "release": 3600}, must_bite=("sent into the partition",))
def partition(lab, n):
    lab.proxy.path = Path(hold="both")
    mark, argv = lab.marks.exec(lab.agents, 0, 1)
    try:
        lab.client.submit(mark, argv)
        lab.client.drain()
        time.sleep(n)
        lab.bites.hit("sent into the partition", not is_over(lab, mark))
    finally:
        healed(lab)
    began = time.monotonic()
    wait_for(lambda: is_over(lab, mark), bound(lab, 90), "not delivered after the partition", every=0.1)
    figures = {"seconds": n, "delivered_after_s": round(time.monotonic() - began, 1)}
    finish(lab, 60, figures)
    assert figures["delivered_after_s"] <= bound(lab, 5.0), figures
    return figures


@register(id="C-corrupt", fault="bits flipped on the way, some in every MiB", spec=PATHS,
          figure="n: TLS notices, SHA ok, 0 lost", n={"commit": 6, "nightly": 64, "release": 256},
          must_bite=("bits flipped",))
def corrupt(lab, n):
    before = lab.proxy.counts["corrupted"]
    lab.proxy.path = Path(corrupt_every=2 * MIB)
    try:
        took = fetch(lab, lab.agents[:1], n * MIB, bound(lab, 60 + 10 * n))
        lab.client.submit(*lab.marks.exec(lab.agents, 10, 4000))
        lab.client.drain()
    finally:
        healed(lab)
    lab.bites.hit("bits flipped", lab.proxy.counts["corrupted"] - before)
    figures = {"mib": n, "seconds": round(took, 1)}
    finish(lab, bound(lab, 60), figures)
    return figures


@register(id="C-halfclose", fault="half-closed connections (FIN one way), n times", spec=PATHS,
          figure="agents back <= 10 s, 0 lost", n={"nightly": 40, "release": 100},
          must_bite=("half-closed",))
def half_close(lab, n):
    figures = {"back_s": 0.0}
    for turn in range(n):
        lab.client.submit(*lab.marks.exec(lab.agents, 300, 1))
        before = lab.proxy.counts["half_closed"]
        lab.proxy.half_close(("up", "down")[turn % 2])
        lab.bites.hit("half-closed", lab.proxy.counts["half_closed"] - before)
        began = time.monotonic()
        round_trip(lab, lab.agents, bound(lab, 30))
        took = time.monotonic() - began
        assert took <= bound(lab, 10.0), f"{took:.1f} s until an answer"
        figures["back_s"] = round(max(figures["back_s"], took), 1)
        finish(lab, 60, figures)
        lab.forget_failed_dials()
    return figures


@register(id="A5", fault="gateways killed during the upload of n MiB at 8 MB/s",
          figure="SHA ok, re-sent <= 1 MiB a kill", spec=PATHS,
          n={"nightly": 400, "release": 2000},
          must_bite=("killed in the middle",))
def gateway_killed(lab, n):
    lab.proxy.path = Path(bytes_per_s=8e6)
    size = 100 * MIB if n >= 100 else n * MIB
    figures = {"kills": 0, "uploads": 0, "sent_again_kib_a_kill": 0}
    try:
        for _ in range(max(1, n * MIB // size)):
            before = lab.proxy.counts["taken_up"]
            mark, argv = lab.marks.get(lab.agents[:1], size)
            lab.client.submit(mark, argv)
            lab.client.drain()
            kills, next_at = 0, time.monotonic() + 1.0
            end = time.monotonic() + bound(lab, 300)
            while not is_over(lab, mark):
                assert time.monotonic() < end, "the upload does not end"
                if time.monotonic() >= next_at:
                    for gateway in lab.stack.processes("gateway"):  # whichever has the link
                        gateway.kill()
                    kills += 1
                    next_at = time.monotonic() + lab.rng.uniform(2, 4)
                time.sleep(0.05)
            again = lab.proxy.counts["taken_up"] - before - size * 1.02
            figures["kills"] += kills
            figures["uploads"] += 1
            lab.bites.hit("killed in the middle", kills)
            a_kill = max(0, again / max(kills, 1) / 1024)
            figures["sent_again_kib_a_kill"] = round(max(figures["sent_again_kib_a_kill"], a_kill))
            finish(lab, 60, figures)
    finally:
        healed(lab)
    assert figures["sent_again_kib_a_kill"] <= 1024, figures
    return figures
