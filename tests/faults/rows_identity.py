"""Two links of one agent, and two agents of one identity: only one may have an effect."""
import shutil
import time

from lab import faults
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import LabAgent, wait_for
from rows_link import round_trip
from rows_messages import last_of, stream_of
from rows_power import end_agents
from rows_redis import finish
from rows_time import cpu_seconds

TWINS = Spec(gateways=2, agents=3)
OLD_LINKS = Spec(gateways=3, agents=8, proxy=True)
HELLO = b"holdfast.hello.v1"  # its type, common/sign/envelope.h
CLAIM_SECONDS = 13            # below those after which a silent control is killed


@register(id="C12", fault="old links stay half-open at the gateway while the agents dial anew; n times all",
          figure="newest wins, 0 double, no loop", spec=OLD_LINKS,
          n={"nightly": 40, "release": 125},
          must_bite=("orphaned links", "superseded"))
def half_open(lab, n):
    figures = {"dials_a_turn": 0, "answers_s": 0.0}
    superseded = lambda: sum(value for name, value in lab.stack.metrics().items()
                             if name.startswith("holdfast_closed_total{")
                             and 'reason="superseded"' in name)
    for _ in range(n):
        lab.client.submit(*lab.marks.exec(lab.agents, 400, 1))
        lab.client.drain()
        dials, before = lab.proxy.counts["connections"], superseded()
        lab.bites.hit("orphaned links", lab.proxy.orphan_all())
        took = round_trip(lab, lab.agents, bound(lab, 40))
        time.sleep(0.5)
        lab.bites.hit("superseded", superseded() - before)
        dials = lab.proxy.counts["connections"] - dials
        assert dials <= 2 * len(lab.agents), f"{dials} dials of {len(lab.agents)} agents: a loop"
        figures["dials_a_turn"] = max(figures["dials_a_turn"], dials)
        figures["answers_s"] = round(max(figures["answers_s"], took), 1)
        finish(lab, 60, figures)
        lab.proxy.drop_orphans()
    return figures


def claims(redis, key, since):
    """How many Hellos wait for control, or were read by it, since then."""
    found = redis.call("XRANGE", key, b"(" + since, "+")
    return sum(value.count(HELLO) for _, fields in found for value in fields)


@register(id="C12-claim", fault="agents killed between the claim of a link and its grant, n times all",
          figure="no epoch is dialled twice: I6", spec=OLD_LINKS,
          n={"nightly": 20, "release": 100}, must_bite=("claimed and killed",))
def killed_at_claim(lab, n):
    """Control stands still while they claim, so that no grant can reach them, and grants to nobody afterwards."""
    figures = {}
    for _ in range(n):
        (control,) = lab.stack.processes("control")
        redis, key = lab.stack.redis(), stream_of(control)
        faults.freeze(control)
        try:
            since = last_of(redis, key)
            lab.proxy.reset_all()
            wait_for(lambda: claims(redis, key, since) >= len(lab.agents), CLAIM_SECONDS,
                     lambda: f"only {claims(redis, key, since)} claims", every=0.02)
            end_agents(lab)
            lab.bites.hit("claimed and killed", len(lab.agents))
        finally:
            faults.thaw(control)
            redis.close()
        for agent in lab.agents:
            agent.start()
        finish(lab, bound(lab, 60), figures)
    return figures


@register(id="D7", fault="a copy of an agent's state runs beside it, n times for 12 s",
          figure="seen <= 60 s, 0 double, CPU flat", spec=TWINS,
          n={"nightly": 6, "release": 20}, must_bite=("clone seen",))
def clones(lab, n):
    figures = {"seen_s": 0.0, "cpu_percent": 0.0}
    for turn in range(n):
        agent = lab.agents[turn % len(lab.agents)]
        agent.stop()
        clone = LabAgent(lab.stack, f"clone{turn}")
        shutil.copytree(agent.state, clone.state)
        clone.id = agent.id
        lab.stack.aliases[f"agent-{clone.name}"] = f"agent-{agent.name}"
        agent.start()
        agent.has_twin = True
        lab.stack.wait_online(agent)
        clone.start()
        try:
            began = time.monotonic()
            wait_for(lambda: lab.stack.agent_rows()[agent.id]["clone_suspected"], bound(lab, 60),
                     "the clone is not seen", every=0.2)
            lab.bites.hit("clone seen")
            figures["seen_s"] = round(max(figures["seen_s"], time.monotonic() - began), 1)
            backend = [*lab.stack.processes("gateway"), *lab.stack.processes("control")]
            before, began = cpu_seconds(backend), time.monotonic()
            for _ in range(6):
                lab.client.submit(*lab.marks.exec([agent], 0, 1))
                lab.client.drain()
                time.sleep(2.0)
            cpu = 100 * (cpu_seconds(backend) - before) / (time.monotonic() - began)
            figures["cpu_percent"] = round(max(figures["cpu_percent"], cpu), 1)
            assert cpu < 30, f"two twins cost {cpu:.0f} % of a CPU"
        finally:
            clone.stop()
        agent.stop()  # comes back as the only one
        agent.start()
        for mark in lab.marks.made.values():
            mark.may |= {"INTERRUPTED", "REFUSED"}  # a journal that may be behind answers for nothing
        finish(lab, bound(lab, 90), figures)
    return figures
