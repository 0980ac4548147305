"""Messages between gateways and control that come twice, in another order, or not at all."""
import time

from lab import faults
from lab.campaign import Load
from lab.rows import register
from lab.slack import bound
from rows_redis import FLEET, finish

HOLD_SECONDS = (0.1, 0.6)
SHARE = 0.05  # of the messages that wait, each
ENDS_MS = (1000, 2500, 4000)  # of the commands that run meanwhile: their ends go up in messages of their own


def hold_and_spoil(lab, load):
    """Holds one reader (SIGSTOP) until entries wait for it, and spoils some of those: what it had not fetched."""
    role = lab.rng.choice(("control", "gateway", "gateway"))  # fewer messages go down
    reader = lab.rng.choice(lab.stack.processes(role))
    key = stream_of(reader)
    redis = lab.stack.redis()
    faults.freeze(reader)
    try:
        last = last_of(redis, key)
        end = time.monotonic() + lab.rng.uniform(*HOLD_SECONDS)
        while time.monotonic() < end:
            load.pump(time.monotonic())
            time.sleep(0.01)
        for entry_id, fields in waiting(redis, key, last):
            spoil(lab, redis, key, entry_id, fields, "up" if role == "control" else "down")
    finally:
        faults.thaw(reader)
        redis.close()


def stream_of(reader):
    words = reader.argv
    role, instance = (words[words.index(f"--{name}") + 1] for name in ("role", "instance"))
    return f"hf:{{{role[0]}.{instance}}}:in"


def last_of(redis, key):
    last = redis.call("XREVRANGE", key, "+", "-", "COUNT", 1)
    return last[0][0] if last else b"0-0"


def waiting(redis, key, last):
    """What came after `last` and is not read: the first one went to the read that waited for it."""
    return redis.call("XRANGE", key, b"(" + last, "+")[1:]


def spoil(lab, redis, key, entry_id, fields, way):
    lab.bites.hit(f"messages that waited, {way}")
    dice = lab.rng.random()
    if dice < SHARE:
        redis.call("XADD", key, "*", *fields)
        lab.bites.hit(f"came twice, {way}")
    elif dice < 2 * SHARE:
        redis.call("XDEL", key, entry_id)
        redis.call("XADD", key, "*", *fields)
        lab.bites.hit(f"came later than others, {way}")
    elif dice < 3 * SHARE:
        lab.bites.hit(f"did not come, {way}", redis.call("XDEL", key, entry_id))


def lose_the_last(lab, role):
    """All that comes to all readers of a kind is lost, and nothing comes after it: no later message and no new
    link makes up for it."""
    for sleep_ms in ENDS_MS:
        lab.client.submit(*lab.marks.exec(lab.agents, sleep_ms, 1))
    lab.client.drain()
    readers = lab.stack.processes(role)
    redis = lab.stack.redis()
    for reader in readers:
        faults.freeze(reader)
    try:
        last = {stream_of(reader): last_of(redis, stream_of(reader)) for reader in readers}
        if role == "gateway":
            for _ in range(2):  # the read that waits gets the first one
                lab.client.submit(*lab.marks.exec(lab.agents, 0, 1))
                lab.client.drain()
        else:
            time.sleep(ENDS_MS[-1] / 1000 + 2.0)
        lost = sum(redis.call("XDEL", key, entry_id) for key, at in last.items()
                   for entry_id, _ in waiting(redis, key, at))
        lab.bites.hit(f"the last did not come, {'up' if role == 'control' else 'down'}", lost)
    finally:
        for reader in readers:
            faults.thaw(reader)
        redis.close()


@register(id="C14", fault="5 % each of the messages that wait between gateways and control: twice, late, never",
          figure="10,000 deliveries: I1-I5", spec=FLEET, n={"nightly": 500, "release": 10000},
          must_bite=tuple(f"{what}, {way}" for way in ("up", "down") for what in
                          ("came twice", "came later than others", "did not come", "the last did not come")))
def messages(lab, n):
    figures = {"accepted": 0}
    load = Load(lab, 12.0, sleep_ms=100)
    while figures["accepted"] < n:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            hold_and_spoil(lab, load)
            until = time.monotonic() + lab.rng.uniform(0.1, 0.5)
            while time.monotonic() < until:
                load.pump(time.monotonic())
                time.sleep(0.01)
        finish(lab, 90, figures)
        for role in ("gateway", "control"):
            lose_the_last(lab, role)
            finish(lab, bound(lab, 60), figures)
    return figures
