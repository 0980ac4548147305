"""kill -9 of every kind of process, at random moments, under load."""
from lab.campaign import campaign
from lab.rows import Spec, register

MANY = Spec(gateways=3, agents=16)

EVERY_KIND = tuple(f"{role} killed with work open" for role in
                   ("link", "warden", "keeper", "gateway", "control", "redis"))


@register(id="K", fault="kill -9 of random processes of every kind, under load",
          figure="10,000: 0 lost, 0 doubled",
          n={"nightly": 1000, "release": 10000},
          must_bite=(*EVERY_KIND, "delivered again", "ended interrupted"))
def kills(lab, n):
    figures = campaign(lab, n, round_seconds=60 if n > 100 else 25, say=lab.say)
    assert not figures["lost"] and not figures["doubled"], figures
    return figures


@register(id="K-many", fault="the same with 16 agents and 3 gateways",
          figure="10,000: 0 lost, 0 doubled", spec=MANY,
          n={"nightly": 3000, "release": 10000},
          must_bite=(*EVERY_KIND, "supervisor killed with work open", "worker killed with work open",
                     "delivered again", "ended interrupted"))
def many(lab, n):
    figures = campaign(lab, n, kills_per_second=6.0, commands_per_second=2.0, round_seconds=90,
                       say=lab.say)
    assert not figures["lost"] and not figures["doubled"], figures
    return figures
