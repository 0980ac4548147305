"""Messages between gateways and control that come twice, in another order, or not at all."""
import time

from lab import faults
from lab.campaign import Load
from lab.rows import register
from rows_redis import FLEET, finish

HOLD_SECONDS = (0.1, 0.6)
SHARE = 0.05  # of the messages that wait, each


def hold_and_spoil(lab, load):
    """Holds one reader (SIGSTOP) until entries wait for it, and spoils some of those: what it had not fetched."""
    role = lab.rng.choice(("control", "gateway", "gateway"))  # fewer messages go down
    reader = lab.rng.choice(lab.stack.processes(role))
    instance = reader.argv[reader.argv.index("--instance") + 1]
    key = f"hf:{{{role[0]}.{instance}}}:in"
    redis = lab.stack.redis()
    faults.freeze(reader)
    try:
        last = redis.call("XREVRANGE", key, "+", "-", "COUNT", 1)
        end = time.monotonic() + lab.rng.uniform(*HOLD_SECONDS)
        while time.monotonic() < end:
            load.pump(time.monotonic())
            time.sleep(0.01)
        waiting = redis.call("XRANGE", key, b"(" + (last[0][0] if last else b"0-0"), "+")
        for entry_id, fields in waiting[1:]:  # the first one went to the read that waited for it
            spoil(lab, redis, key, entry_id, fields, "up" if role == "control" else "down")
    finally:
        faults.thaw(reader)
        redis.close()


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


@register(id="C14", fault="5 % each of the messages that wait between gateways and control: twice, late, never",
          figure="10,000 deliveries: I1-I5", spec=FLEET, n={"nightly": 500, "release": 10000},
          must_bite=tuple(f"{what}, {way}" for way in ("up", "down")
                          for what in ("came twice", "came later than others", "did not come")))
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
    return figures
