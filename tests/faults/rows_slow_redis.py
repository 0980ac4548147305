"""Redis with a disk behind it: the product asks for none, but whoever brings a Redis may have it keep files."""
import functools
import time

from lab import shim
from lab.rows import Spec, register
from lab.slack import bound
from rows_redis import finish, load_up

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
