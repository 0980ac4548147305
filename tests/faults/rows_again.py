"""What comes twice, and what comes too late."""
import time

from lab.campaign import Load
from lab.ledger import Ledger
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for
from rows_link import is_over
from rows_redis import FLEET, finish

LONG_BYTES, LONG_BEGUN_BYTES, LONG_EVERY = 32 << 20, 1 << 20, 10


def cut_redis_clients(lab):
    """Every connection to Redis but ours: readers begin at 0 again, and see all entries twice."""
    redis = lab.stack.redis()
    waiting = sum(redis.call("XLEN", key) for key in redis.call("KEYS", "hf:*:in"))
    redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    redis.close()
    return waiting


def begin_long(lab):
    """A get whose first bytes are at control. Of a size of its own, as control stores equal files once."""
    incoming = lab.stack.fleet / "server/state/results/incoming"
    before = set(incoming.iterdir())
    mark, argv = lab.marks.get(lab.agents[:1], LONG_BYTES + lab.rng.randrange(1, 256 * 1024))
    lab.client.submit(mark, argv)
    lab.client.drain()
    assert mark.status == "ok", mark.words

    def has_begun():
        for path in set(incoming.iterdir()) - before:
            try:
                if path.stat().st_size >= LONG_BEGUN_BYTES:
                    return True
            except FileNotFoundError:  # another that is complete now
                pass
        return False
    wait_for(has_begun, bound(lab, 20), "the long result does not begin", every=0.001)
    return mark


@register(id="B-again", fault="all connections to Redis cut, again and again: entries are read twice",
          figure="0 double, 0 lost", spec=FLEET, n={"nightly": 60, "release": 300},
          must_bite=("cut", "entries read again", "cut in the middle of a long result"))
def again(lab, n):
    figures = {}
    load = Load(lab, 6.0, sleep_ms=200)
    for turn in range(n):
        end = time.monotonic() + lab.rng.uniform(1.0, 3.0)
        while time.monotonic() < end:
            load.pump(time.monotonic())
            time.sleep(0.01)
        long = begin_long(lab) if turn % LONG_EVERY == 0 else None
        lab.bites.hit("entries read again", cut_redis_clients(lab))
        if long:
            lab.bites.hit("cut in the middle of a long result", not is_over(lab, long))
        lab.bites.hit("cut")
        time.sleep(lab.rng.uniform(0, 1.0))
        lab.bites.hit("entries read again", cut_redis_clients(lab))
        finish(lab, 60, figures)
    return figures


EARLY_S, EDGE_AFTER_S, LATE_S = 3, 2, 600


def submit_for(lab, seconds):
    """A command to all agents that expires so much later: its mark, and when it does."""
    mark, argv = lab.marks.exec(lab.agents, 0, 1)
    lab.client.submit(mark, argv, ttl=f"{int(seconds)}s")
    lab.client.drain()
    assert mark.status == "ok", mark.words
    return mark, Ledger(lab.stack).commands[mark.id]["not_after_ms"] / 1000


@register(id="EXP", fault="the agents come back just before and just after a command's expiry",
          figure="expired: EXPIRED, 0 effects; in time: DONE", spec=Spec(),
          n={"nightly": 20, "release": 100}, must_bite=("expired", "in time"))
def expiry(lab, n):
    """Each time one command that has expired before they come, one that is about to, and one with time."""
    figures = {}
    for _ in range(n):
        for agent in lab.agents:
            agent.stop()
        lab.stack.wait_online(*lab.agents, online=False)
        soon = bound(lab, EARLY_S)  # a command line on a busy machine must not be what expires
        edge, edge_at = submit_for(lab, soon + EDGE_AFTER_S)
        early, early_at = submit_for(lab, soon)
        late, _ = submit_for(lab, LATE_S)
        early.may |= {"EXPIRED"}
        edge.may |= {"EXPIRED", "REFUSED"}
        edge.grace_ms = int(1000 * bound(lab, 1))
        # From their start to a command's turn takes agents about a second.
        back = max(early_at + 0.2, edge_at + lab.rng.uniform(-1.5, 0.3))
        time.sleep(max(0.0, back - time.time()))
        for agent in lab.agents:
            agent.start()
        finish(lab, 60, figures)
        outcomes = {mark.id: [row["outcome_name"] for row in lab.last_verdict.ledger.deliveries
                              if row["mark"] == mark.id] for mark in (early, edge, late)}
        assert set(outcomes[early.id]) == {"EXPIRED"}, outcomes
        assert set(outcomes[late.id]) == {"DONE"}, outcomes
        for found in outcomes.values():
            lab.bites.hit("in time", found.count("DONE"))
            lab.bites.hit("expired", found.count("EXPIRED"))
        lab.bites.hit("expired on the way", outcomes[edge.id].count("EXPIRED"))
    return figures
