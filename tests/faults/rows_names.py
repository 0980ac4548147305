"""The name server dies: links stay, and who has to dial goes where it was last."""
import time

from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for
from rows_redis import finish

NAMED = Spec(gateways=1, agents=3, prepare="names")


@register(id="C11", fault="name servers that never answer, for n s; then gateways killed, then agents started anew",
          figure="links stay; back <= 30 s at the last address", spec=NAMED,
          n={"nightly": 30, "release": 600}, must_bite=("names not answered",))
def dead_names(lab, n):
    figures = {"seconds": n}
    opened = lab.stack.metrics()["holdfast_links_opened_total"]
    lab.names.die()
    try:
        time.sleep(n)
        assert lab.stack.metrics()["holdfast_links_opened_total"] == opened, "links did not stay"
        for gateway in lab.stack.processes("gateway"):
            gateway.kill()
        figures["after_gateway_s"] = back(lab)
        for agent in lab.agents:
            agent.stop()
            agent.start()
        figures["after_restart_s"] = back(lab)
        lab.bites.hit("names not answered", lab.names.asked())
    finally:
        lab.names.live()
    finish(lab, 60, figures)
    assert max(figures["after_gateway_s"], figures["after_restart_s"]) <= bound(lab, 30), figures
    return figures


def back(lab):
    began = time.monotonic()
    wait_for(lambda: links(lab) == 0, 10, "no link is lost", every=0.01)
    wait_for(lambda: links(lab) == len(lab.agents), bound(lab, 40), "agents stay away", every=0.1)
    return round(time.monotonic() - began, 1)


def links(lab):
    return lab.stack.metrics().get("holdfast_links", 0)
