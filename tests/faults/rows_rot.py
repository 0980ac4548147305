"""The endpoint's own files damaged, gone, or older than they were: nothing runs twice, nothing wrong passes."""
import shutil
import time

from lab.marks import read_effects
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for
from rows_full import served_again
from rows_power import end_agents
from rows_redis import finish

ROT = Spec(gateways=1, agents=6)
MOST_UP_SECONDS = 5
MAY = {"REFUSED", "INTERRUPTED", "FAILED"}


def kill_in_the_middle(lab):
    """Commands that have taken effect and not ended, results half sent; then all agents die at once."""
    running, argv = lab.marks.exec(lab.agents, 8_000, 1)
    lab.client.submit(running, argv)
    lab.client.submit(*lab.marks.get(lab.agents, 5 * 256 * 1024 - 77))
    lab.client.drain()
    wait_for(lambda: len([k for k in read_effects(lab.stack.effects) if k[0] == running.id])
             == len(lab.agents), bound(lab, 20), "the commands do not start")
    end_agents(lab)
    for mark in lab.marks.made.values():
        mark.may |= MAY
    return running


def start_damaged(lab, figures, reverted=(), meanwhile=lambda: None):
    """Starts them; an agent that gives up at once is started again, as a service manager would. One whose state
    is an older copy dials an epoch that was there already, is taken for a clone, and waits before it dials again.
    `meanwhile` is called while they come up, and once more when they serve."""
    began = time.monotonic()
    for agent in lab.agents:
        agent.start()
    up = {}

    def online():
        lab.revive()
        meanwhile()
        rows = lab.stack.agent_rows()
        for agent in lab.agents:
            if rows[agent.id]["online"]:
                up.setdefault(agent.name, time.monotonic() - began)
        return len(up) == len(lab.agents)
    wait_for(online, bound(lab, 60), "agents with damaged files stay away", every=0.1)
    for agent in lab.agents:
        name = "up_older_copy_s" if agent in reverted else "up_s"
        figures[name] = round(max(figures.get(name, 0), up[agent.name]), 1)
    assert figures.get("up_s", 0) <= bound(lab, MOST_UP_SECONDS), figures
    lab.may_linger = True
    served_again(lab, 20.0, "with damaged files")
    meanwhile()
    finish(lab, bound(lab, 60), figures)


def flip_bits(lab, path, count):
    data = bytearray(path.read_bytes())
    for _ in range(count):
        data[lab.rng.randrange(len(data))] ^= 1 << lab.rng.randrange(8)
    path.write_bytes(data)


@register(id="D3", fault="bits flipped in journal and spool of agents that died in the middle; n agents",
          figure="10,000 flips: 0 accepted, 0 replays run", spec=ROT,
          n={"commit": 6, "nightly": 240, "release": 3000},
          must_bite=("bits flipped in journal.db", "bits flipped in journal.db-wal"))
def bit_rot(lab, n):
    figures = {"flips": 0}
    done = 0
    while done < n:
        kill_in_the_middle(lab)
        for at, agent in enumerate(lab.agents):
            kinds = [[p for p in agent.state.rglob(pattern) if p.is_file() and p.stat().st_size]
                     for pattern in ("journal.db-wal", "journal.db", "*.seg")]
            path = lab.rng.choice(kinds[at % 3] or kinds[0])
            flips = lab.rng.choice((1, 1, 3, 20))
            flip_bits(lab, path, flips)
            figures["flips"] += flips
            lab.bites.hit(f"bits flipped in {'spool' if path.suffix == '.seg' else path.name}", flips)
        start_damaged(lab, figures)
        done += len(lab.agents)
    return figures


@register(id="D4", fault="journals cut short, gone, or replaced by an older copy; n agents", spec=ROT,
          figure="200: up <= 5 s, no older command runs",
          n={"nightly": 60, "release": 200},
          must_bite=("journal cut", "journal gone", "journal replaced by an older one"))
def journals(lab, n):
    figures = {}
    done = 0
    while done < n:
        finish(lab, 60, figures)
        copies = {}
        for agent in lab.agents:  # at rest: as a snapshot of the machine would have them
            agent.stop()
            copies[agent.name] = agent.state.with_name(f"{agent.state.name}-copy")
            shutil.copytree(agent.state, copies[agent.name])
            agent.start()
        lab.stack.wait_online(*lab.agents)
        kill_in_the_middle(lab)
        reverted = []
        for at, agent in enumerate(lab.agents):
            if damage(lab, agent.state, copies[agent.name], at):
                reverted.append(agent)
                agent.has_twin = True  # to the backend it may be one
            shutil.rmtree(copies[agent.name])
        start_damaged(lab, figures, reverted)
        done += len(lab.agents)
    return figures


def damage(lab, state, copy, at):
    """True if an older copy is there now."""
    journal = state / "journal.db"
    if at % 3 == 0:
        victim = lab.rng.choice([p for p in state.glob("journal.db*") if p.stat().st_size
                                 and not p.name.endswith("-shm")])
        with open(victim, "r+b") as file:
            file.truncate(lab.rng.randrange(victim.stat().st_size))
        lab.bites.hit("journal cut")
    elif at % 3 == 1:
        for path in state.glob("journal.db*"):
            path.unlink()
        lab.bites.hit("journal gone")
    else:
        for path in state.glob("journal.db*"):
            path.unlink()
        for path in copy.glob("journal.db*"):
            shutil.copy2(path, state)
        assert journal.exists()
        lab.bites.hit("journal replaced by an older one")
    return at % 3 == 2
