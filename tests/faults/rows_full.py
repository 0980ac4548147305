"""Full disks: nothing unjournaled runs, nothing is accepted falsely, and service comes back alone."""
import statistics
import time

from lab import faults
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for
from rows_link import is_over
from rows_redis import finish, question_answered

MOST_HOLD_SECONDS = 1.0
FITS_INTO_A_LOG = 400  # commands: 4 MB of it, a few pages of 4 KiB each
NO_ROOM = ("NO_JOURNAL", "SPOOL_FULL")
FULL_AGENT = Spec(gateways=1, agents=4, disks=(("agent", "tmpfs", 16),))
FULL_BACKEND = Spec(gateways=1, agents=2, disks=(("backend", "tmpfs", 24),))


def hold_results(lab):
    """The links of those agents that have written output and not sent all of it, stopped; the others were too quick."""
    held, agents = [], set(lab.agents)
    end = time.monotonic() + bound(lab, MOST_HOLD_SECONDS)
    while agents and time.monotonic() < end:
        for agent in list(agents):
            if has_output(agent):
                for link in agent.children("link"):
                    faults.freeze(link)
                    held.append(link)
                agents.discard(agent)
    return held


def has_output(agent):
    """In the spool, as it was an instant ago."""
    try:
        return any(path.stat().st_size for path in agent.state.rglob("*.seg"))
    except FileNotFoundError:
        return False


@register(id="D1", fault="the agents' disk is full (tmpfs), before commands and in the middle of results",
          figure="200: 0 unjournaled runs, refused <= 1 s, back <= 10 s after space", spec=FULL_AGENT,
          n={"nightly": 40, "release": 200},
          must_bite=("refused on a full disk", "filled in the middle of results"))
def agent_full(lab, n):
    lab.may_linger = True
    figures, refusals = {"back_s": 0.0}, []
    for turn in range(n):
        running, argv = lab.marks.get(lab.agents, 5 * 256 * 1024 - 77)
        running.may |= {"REFUSED"}
        lab.client.submit(running, argv)
        lab.client.drain()
        held = hold_results(lab)
        lab.agent_disk.fill()
        for link in held:
            faults.thaw(link)
        lab.bites.hit("filled in the middle of results", len(held))
        if turn % 2 == 0:  # what is sent makes room again: fill that, too
            wait_for(lambda: is_over(lab, running), bound(lab, 20), "results on a full disk", every=0.1)
            time.sleep(0.3)
            lab.agent_disk.fill()
        mark, argv = lab.marks.exec(lab.agents, 0, 1)
        mark.may |= {"REFUSED"}
        lab.client.submit(mark, argv)
        lab.client.drain()
        began = time.monotonic()
        wait_for(lambda: is_over(lab, mark), bound(lab, 15), "a full disk gives no answer", every=0.1)
        took = time.monotonic() - began
        refusals.append(took)
        rows = lab.stack.holdfast("job", mark.job).json()["deliveries"]
        lab.bites.hit("refused on a full disk", sum(r["failure"] in NO_ROOM for r in rows))
        lab.agent_disk.free()
        took = served_again(lab, 10.0, "after space came")
        figures["back_s"] = round(max(figures["back_s"], took), 1)
        finish(lab, 60, figures)
    # A refusal whose own record does not fit waits 2 s for room (agent/core/running.h, kRetry).
    figures["refused_median_s"] = round(statistics.median(refusals), 2)
    figures["refused_most_s"] = round(max(refusals), 2)
    assert figures["refused_median_s"] <= bound(lab, 1.0), figures
    return figures


def served_again(lab, seconds, why):
    """Until a marked command has taken effect everywhere; commands refused on the way are no harm."""
    began = time.monotonic()
    while True:
        mark, argv = lab.marks.exec(lab.agents, 0, 1)
        mark.may |= {"REFUSED"}
        lab.client.submit(mark, argv)
        lab.client.drain()
        left = seconds - (time.monotonic() - began)
        if mark.status == "ok":
            wait_for(lambda: is_over(lab, mark), bound(lab, max(left, 1)), why, every=0.1)
            rows = lab.stack.holdfast("job", mark.job).json()["deliveries"]
            if all(r["outcome"] == "DONE" for r in rows):
                return time.monotonic() - began
        took = time.monotonic() - began
        assert took <= bound(lab, seconds), f"{why}: no service after {took:.1f} s: {mark.words}"
        time.sleep(0.2)


@register(id="B4", fault="the backend's disk is full (tmpfs)", spec=FULL_BACKEND,
          figure="refused <= 2 s, no false ACCEPTED, service <= 15 s after space",
          n={"nightly": 20, "release": 100},
          must_bite=("refused on a full disk", "results waited for room"))
def backend_full(lab, n):
    figures = {"refused_s": 0.0, "back_s": 0.0}
    for _ in range(n):
        waiting, argv = lab.marks.exec(lab.agents, 700, 4000)
        lab.client.submit(waiting, argv)
        lab.client.drain()
        lab.backend_disk.fill()
        took, done = until_refused(lab)
        assert took <= bound(lab, 2.0), f"the refusal took {took:.1f} s: {done}"
        figures["refused_s"] = round(max(figures["refused_s"], took), 2)
        lab.bites.hit("refused on a full disk")
        time.sleep(1.0)
        lab.bites.hit("results waited for room", not is_over_by_metrics(lab))
        lab.backend_disk.free()
        took = served_again(lab, 15.0, "after space came")
        figures["back_s"] = round(max(figures["back_s"], took), 1)
        finish(lab, 60, figures)
    return figures


def until_refused(lab):
    """A log that was cut back to its start has room of its own for a while: what is accepted into it is not lost."""
    for _ in range(FITS_INTO_A_LOG):
        began = time.monotonic()
        mark, argv = lab.marks.exec(lab.agents, 0, 1)
        done = lab.stack.holdfast("exec", argv[1], "--wait", "0", "--timeout", "30s", *argv[2:],
                                  expect=None)
        mark.words, mark.status = done.err, "ok" if done.status == 0 else "unknown"
        if done.status != 0:
            return time.monotonic() - began, done
    raise AssertionError(f"{FITS_INTO_A_LOG} commands were accepted on a full disk")


def is_over_by_metrics(lab):
    """Of everything accepted; asked of the counters, as the ledger may not answer."""
    metrics = lab.stack.metrics()
    return metrics["holdfast_commands_ended_total"] >= 2 * metrics["holdfast_commands_accepted_total"]
