"""Redis with a disk behind it: the product asks for none, but whoever brings a Redis may have it keep files."""
import functools
import time

from lab import shim
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for
from rows_redis import finish, load_up, question_answered, send_into_full

SLEEPS_MS = (900, 1500)
POLICIES = ("always", "everysec")
# "always": one turn of Redis takes as long as an fsync, and each message takes a few turns: of a large result with
# round trips of 7 s a few KB/s arrive.
REST_SECONDS = 600


def slow_disk(lab, n, longest_wait):
    """Commands while every fsync of Redis is slow, then kill -9 of it within `longest_wait` s, n times."""
    figures = {}
    for _ in range(n):
        slept = len(shim.read(lab.stack.dir / "shim-redis.log"))
        load_up(lab, 12)
        time.sleep(lab.rng.uniform(0, longest_wait))
        load_up(lab, 6)  # open when it dies
        assert lab.kill("redis"), "no Redis"
        lab.client.submit(*lab.marks.exec(lab.agents, 50, 1))
        lab.client.submit(*lab.marks.get(lab.agents[:2], 5 * 256 * 1024 - 77))
        finish(lab, bound(lab, REST_SECONDS), figures)
        lab.bites.hit("slow fsyncs", len(shim.read(lab.stack.dir / "shim-redis.log")) - slept)
    return figures


for sleep_ms in SLEEPS_MS:
    for policy in POLICIES:
        register(id=f"B1-{policy}-{sleep_ms}", figure="100: 0 lost",
                 fault=f"kill -9 of a Redis whose fsyncs take {sleep_ms} ms, appendfsync {policy}, under load",
                 spec=Spec(agents=6, redis=f"{sleep_ms} {policy}"), n={"nightly": 3, "release": 30 if policy == "always" else 100},
                 must_bite=("redis killed", "slow fsyncs"))(
                     # "everysec" begins one a second; killed before its end it slowed nothing.
                     functools.partial(slow_disk, longest_wait=1.0 + 2 * sleep_ms / 1000))


@register(id="B5-disk", fault="the disk of a Redis with an append-only file is full (tmpfs) for 8 s: it refuses to write, n times",
          figure="refused clearly or served later, 0 lost; a new question answered <= 15 s after space",
          spec=Spec(agents=6, redis="0 everysec", disks=(("redis", "tmpfs", 16),)),
          n={"nightly": 5, "release": 20}, must_bite=("refused by Redis", "sent into the full Redis"))
def full_disk(lab, n):
    figures = {"answered_s": 0.0}
    for _ in range(n):
        load_up(lab, 2 * len(lab.agents))
        redis = lab.stack.redis()
        lab.redis_disk.fill()
        wait_for(lambda: refuses(lab, redis), bound(lab, 10), "Redis writes on a full disk", every=0.1)
        send_into_full(lab)
        lab.redis_disk.free()
        redis.close()
        took = question_answered(lab, bound(lab, 15), "after space came")
        figures["answered_s"] = round(max(figures["answered_s"], took), 1)
        finish(lab, bound(lab, 60), figures)
    return figures


def refuses(lab, redis):
    """Its writer stops when the next second's append fails; what it is told of that is its own word."""
    try:
        redis.call("RPUSH", "somebody-else", b"x" * 4096)
    except RuntimeError as why:
        assert "MISCONF" in str(why), why
        lab.bites.hit("refused by Redis")
        return True
    return False
