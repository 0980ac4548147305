"""Redis is transport: it may forget, die, freeze or be broken at any moment."""
import shutil
import time

from lab import faults
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for

FLEET = Spec(gateways=2, agents=10)
IN_FLIGHT = 500
REDIS_MIB = 64
WORKERS = 8  # of one agent at once (agent/core/limits.h)


def redis_of(lab):
    (process,) = lab.stack.processes("redis")
    return process


FULL_SECONDS = 8


def load_up(lab, deliveries, sleep_ms=400):
    """So many deliveries at once, submitted and open; every agent gets each command."""
    for _ in range(-(-deliveries // len(lab.agents))):
        wait_for(lambda: lab.client.pump() or not lab.client.busy(), 60, "command lines hang")
        lab.client.submit(*lab.marks.exec(lab.agents, lab.rng.randrange(sleep_ms), 1))
    lab.client.drain()


def send_into_full(lab):
    """Commands, for as long as a Redis is left full."""
    end = time.monotonic() + FULL_SECONDS
    while time.monotonic() < end:
        lab.client.pump()
        if not lab.client.busy():
            lab.client.submit(*lab.marks.exec(lab.agents, 0, 1))
            lab.bites.hit("sent into the full Redis")
        time.sleep(0.5)


def fill(lab, deliveries):
    """Submits until so many are open at once; how many are."""
    for _ in range(WORKERS):  # every agent's workers are busy for a while; the rest waits behind them
        wait_for(lambda: lab.client.pump() or not lab.client.busy(), 60, "command lines hang")
        lab.client.submit(*lab.marks.exec(lab.agents, int(1000 * bound(lab, 8)), 1))
    load_up(lab, deliveries)
    for _ in range(10):
        if open_deliveries(lab) >= deliveries:
            break
        load_up(lab, 4 * len(lab.agents))
    still_open = open_deliveries(lab)
    assert still_open >= deliveries, f"only {still_open} in flight"
    return still_open


def open_deliveries(lab):
    jobs = lab.stack.holdfast("jobs", "--open", "--limit", "10000").json()
    return sum(row["targets"] - row["ended"] for row in jobs)


def finish(lab, bound_s, figures):
    took = lab.quiesce(bound_s)
    lab.say(f"  at rest after {took:.1f} s")
    verdict = lab.judge()
    verdict.require_clean()
    figures["slowest_rest_s"] = round(max(figures.get("slowest_rest_s", 0), took), 1)
    for name in ("accepted", "verified"):
        figures[name] = figures.get(name, 0) + verdict.counts[name]
    figures.update(lost=figures.get("lost", 0) + verdict.lost,
                   doubled=figures.get("doubled", 0) + verdict.doubled)


@register(id="B3", fault="FLUSHALL, and Redis killed with its directory removed, 500 in flight",
          figure="terminal <= 60 s, 0 lost, 0 double", spec=FLEET,
          n={"nightly": 20, "release": 100},
          must_bite=("flushed", "directory removed", "in flight"))
def flush(lab, n):
    figures = {}
    for turn in range(n):
        still_open = fill(lab, IN_FLIGHT)
        lab.bites.hit("in flight", still_open)
        if turn % 2 == 0:
            faults.flush_redis(lab)
        else:
            victim = redis_of(lab)
            shutil.rmtree(lab.stack.fleet / "server/state/redis", ignore_errors=True)
            lab.bites.hit("directory removed", faults.kill_one(victim))
        figures["least_in_flight"] = min(figures.get("least_in_flight", 1 << 30), still_open)
        finish(lab, bound(lab, 60), figures)
    return figures


@register(id="B1", fault="kill -9 of Redis, again and again, under load", figure="100: 0 lost",
          n={"commit": 1, "nightly": 40, "release": 100}, must_bite=("redis killed",), spec=FLEET)
def kill(lab, n):
    figures = {}
    for _ in range(n):
        load_up(lab, 64)
        assert lab.kill("redis"), "no Redis"
        lab.client.submit(*lab.marks.exec(lab.agents, 50, 1))
        lab.client.submit(*lab.marks.get(lab.agents[:2], 5 * 256 * 1024 - 77))
        finish(lab, 60, figures)
    return figures


def answers_within(lab, seconds):
    """How long an API call takes now, in seconds; fails above the bound."""
    began = time.monotonic()
    lab.stack.holdfast("agents")
    took = time.monotonic() - began
    assert took <= seconds, f"the API took {took:.1f} s"
    return took


def question_answered(lab, seconds, why):
    """A question to every agent is answered; how long it took."""
    began = time.monotonic()
    answers = lab.stack.holdfast("query", ",".join(a.id for a in lab.agents), "SELECT 1 AS one",
                                 "--wait", f"{int(seconds) + 20}s", expect=None).json()
    took = time.monotonic() - began
    assert all(a["outcome"] == "DONE" for a in answers), f"{why}: {answers}"
    assert took <= seconds, f"{why}: a question took {took:.1f} s"
    return took


@register(id="B8", fault="Redis frozen (SIGSTOP) for 30 s", spec=FLEET,
          figure="0 links dropped, API answers <= 2 s, recovery <= 5 s",
          n={"nightly": 5, "release": 20}, must_bite=("frozen with work open",))
def freeze(lab, n):
    figures = {"api_s": 0.0, "recovery_s": 0.0}
    for _ in range(n):
        load_up(lab, 4 * len(lab.agents), sleep_ms=6000)
        opened = lab.stack.metrics()["holdfast_links_opened_total"]
        victim = redis_of(lab)
        lab.bites.hit("frozen with work open", open_deliveries(lab) > 0)
        faults.freeze(victim)
        try:
            end = time.monotonic() + 30
            lab.client.submit(*lab.marks.exec(lab.agents, 10, 1))
            while time.monotonic() < end:
                lab.client.pump()
                figures["api_s"] = max(figures["api_s"], round(answers_within(lab, 2.0), 2))
                time.sleep(1.0)
        finally:
            faults.thaw(victim)
        took = question_answered(lab, 5.0, "recovery")
        figures["recovery_s"] = round(max(figures["recovery_s"], took), 2)
        metrics = lab.stack.metrics()
        dropped = metrics["holdfast_links_opened_total"] - opened
        assert dropped == 0, f"{dropped} links were opened anew"
        assert metrics["holdfast_links"] == len(lab.agents)
        finish(lab, 60, figures)
    return figures


@register(id="B10", fault="streams deleted, or replaced by another type, or clients paused",
          figure="50: a new question answered <= 5 s later, 0 lost", spec=FLEET,
          n={"nightly": 20, "release": 50},
          must_bite=("deleted", "wrong type", "paused"))
def break_streams(lab, n):
    figures = {"repaired_s": 0.0}
    for turn in range(n):
        load_up(lab, 2 * len(lab.agents))
        redis = lab.stack.redis()
        keys = redis.call("KEYS", "hf:*:in")
        assert keys, "no streams"
        if turn % 3 == 0:
            lab.bites.hit("deleted", redis.call("DEL", *keys))
        elif turn % 3 == 1:
            redis.call("DEL", *keys)
            for key in keys:
                redis.call("SET", key, "not a stream")
            lab.bites.hit("wrong type", len(keys))
        else:
            lab.bites.hit("paused", redis.call("CLIENT", "PAUSE", 1500, "ALL") == b"OK")
        redis.close()
        began = time.monotonic()
        time.sleep(2.0)  # what was under way is lost, and repeated after 5 to 10 s; a new one is not
        question_answered(lab, bound(lab, 3.0), "repair")
        took = time.monotonic() - began
        figures["repaired_s"] = round(max(figures["repaired_s"], took), 2)
        finish(lab, 60, figures)
    return figures


@register(id="B5", fault="Redis full up to its memory limit with somebody else's keys, for 8 s, n times",
          figure="nothing evicted; refused clearly or served later, 0 lost",
          spec=Spec(gateways=2, agents=10, keys=(("redis", "max_memory_mib", REDIS_MIB),)),
          n={"nightly": 10, "release": 50}, must_bite=("refused by Redis", "sent into the full Redis"))
def full_memory(lab, n):
    figures = {}
    for _ in range(n):
        load_up(lab, 2 * len(lab.agents))
        redis = lab.stack.redis()
        for size in (1 << 20, 1 << 12):
            try:
                for _ in range(2 * REDIS_MIB):
                    redis.call("RPUSH", "somebody-else", b"x" * size)
            except RuntimeError as why:
                assert "OOM" in str(why), why
                lab.bites.hit("refused by Redis")
            else:
                raise AssertionError(f"never full: it takes {2 * REDIS_MIB} times {size} bytes")
        send_into_full(lab)
        redis.call("DEL", "somebody-else")
        evicted = [line for line in redis.call("INFO", "stats").decode().split() if "evicted_keys" in line]
        redis.close()
        assert evicted == ["evicted_keys:0"], evicted
        finish(lab, bound(lab, 60), figures)
    return figures
