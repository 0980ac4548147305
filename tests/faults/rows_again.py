"""What comes twice, and what comes too late."""
import time

from lab.campaign import Load
from lab.rows import Spec, register
from lab.stack import wait_for
from rows_redis import FLEET, finish


def cut_redis_clients(lab):
    """Every connection to Redis but ours: readers begin at 0 again, and see all entries twice."""
    redis = lab.stack.redis()
    waiting = sum(redis.call("XLEN", key) for key in redis.call("KEYS", "hf:*:in"))
    redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    redis.close()
    return waiting


@register(id="B-again", fault="all connections to Redis cut, again and again: entries are read twice",
          figure="0 double, 0 lost", spec=FLEET, n={"nightly": 60, "release": 300},
          must_bite=("cut", "entries read again"))
def again(lab, n):
    figures = {}
    load = Load(lab, 6.0, sleep_ms=200)
    for _ in range(n):
        end = time.monotonic() + lab.rng.uniform(1.0, 3.0)
        while time.monotonic() < end:
            load.pump(time.monotonic())
            time.sleep(0.01)
        lab.bites.hit("entries read again", cut_redis_clients(lab))
        lab.bites.hit("cut")
        time.sleep(lab.rng.uniform(0, 1.0))
        lab.bites.hit("entries read again", cut_redis_clients(lab))
        finish(lab, 60, figures)
    return figures


@register(id="EXP", fault="the agents come back just before and just after a command's expiry",
          figure="expired: EXPIRED, 0 effects; in time: DONE", spec=Spec(),
          n={"nightly": 20, "release": 100}, must_bite=("expired", "in time"))
def expiry(lab, n):
    figures = {"expired": 0, "done": 0}
    for turn in range(n):
        for agent in lab.agents:
            agent.stop()
        lab.stack.wait_online(*lab.agents, online=False)
        mark, argv = lab.marks.exec(lab.agents, 0, 1)
        mark.may |= {"EXPIRED", "REFUSED"}
        lab.client.submit(mark, argv, ttl="4s")
        lab.client.drain()
        time.sleep(0.2 if turn % 2 else lab.rng.uniform(3.2, 4.6))
        for agent in lab.agents:
            agent.start()
        lab.stack.wait_online(*lab.agents)
        wait_for(lambda: all(row["job"] != mark.job for row in
                             lab.stack.holdfast("jobs", "--open").json()), 30, "no end", every=0.2)
        rows = lab.stack.holdfast("job", mark.job).json()["deliveries"]
        done = sum(row["outcome"] == "DONE" for row in rows)
        figures["done"] += done
        figures["expired"] += sum(row["outcome"] == "EXPIRED" for row in rows)
        finish(lab, 60, figures)
    lab.bites.hit("expired", figures["expired"])
    lab.bites.hit("in time", figures["done"])
    return figures
