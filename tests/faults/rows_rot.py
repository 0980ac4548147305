"""The endpoint's own files damaged, gone, or older than they were: nothing runs twice, nothing wrong passes."""
import shutil
import time

from lab.marks import read_effects
from lab.rows import Spec, register
from lab.slack import bound
from lab.stack import wait_for
from proxy.tcp_proxy import Path
from rows_full import served_again
from rows_power import end_agents
from rows_redis import finish, question_answered

ROT = Spec(gateways=1, agents=6, proxy=True)
MOST_UP_SECONDS = 5
MAY = {"REFUSED", "INTERRUPTED", "FAILED"}


def kill_in_the_middle(lab):
    """Commands that have taken effect and not ended, results half sent; then all agents die at once."""
    running, argv = lab.marks.exec(lab.agents, 8_000, 1)
    lab.client.submit(running, argv)
    lab.client.submit(*lab.marks.get(lab.agents, 5 * 256 * 1024 - 77))
    lab.client.drain()
    end_when_it_runs(lab, running)


def end_when_it_runs(lab, running):
    wait_for(lambda: len([k for k in read_effects(lab.stack.effects) if k[0] == running.id])
             == len(lab.agents), bound(lab, 20), "the commands do not start")
    end_agents(lab)
    for mark in lab.marks.made.values():
        mark.may |= MAY


def kill_unheard(lab):
    """Commands have taken effect, were the last commit of every journal, and control has no receipt of them: it
    will send them again. Before that the agents were heard on the same links."""
    question_answered(lab, bound(lab, 20), "before the path is held")
    lab.journals_forget()
    lab.proxy.path = Path(hold="up")
    try:
        running, argv = lab.marks.exec(lab.agents, 8_000, 1)
        running.unheard = True
        lab.client.submit(running, argv)
        lab.client.drain()
        end_when_it_runs(lab, running)
        lab.proxy.reset_all()  # what was held never arrives
    finally:
        lab.proxy.path = Path()
    lab.bites.hit("killed unheard")


@register(id="A7-unheard", fault="agents killed while a command runs of which control has no receipt: it is sent again",
          figure="200: no re-run, INTERRUPTED", spec=ROT, n={"nightly": 30, "release": 200},
          must_bite=("killed unheard", "delivered again", "ended interrupted"))
def unheard(lab, n):
    figures = {}
    done = 0
    while done < n:
        kill_unheard(lab)
        for agent in lab.agents:
            agent.start()
        finish(lab, bound(lab, 60), figures)
        done += len(lab.agents)
    return figures


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


def spoil_last_commit(lab, path):
    """One bit of the last frame of SQLite's log (https://www.sqlite.org/fileformat2.html#walformat), which then ends
    before it; what is left is consistent in itself."""
    log = bytearray(path.read_bytes())
    frame = 24 + int.from_bytes(log[8:12], "big")
    at = 32
    while log[at + frame + 8:at + frame + 16] == log[16:24]:  # the salts of this generation
        at += frame
    log[at + lab.rng.randrange(frame)] ^= 1 << lab.rng.randrange(8)
    path.write_bytes(log)
    lab.bites.hit("last commits spoilt")


@register(id="D3", fault="bits flipped in journal and spool of agents that died in the middle; n agents",
          figure="10,000 flips: 0 accepted, 0 replays run", spec=ROT,
          n={"commit": 6, "nightly": 240, "release": 3000},
          must_bite=("bits flipped in journal.db", "bits flipped in journal.db-wal"))
def bit_rot(lab, n):
    figures = {"flips": 0}
    done = 0
    while done < n:
        if done // len(lab.agents) % 2 == 1:
            kill_unheard(lab)
            for agent in lab.agents:
                spoil_last_commit(lab, agent.state / "journal.db-wal")
            start_damaged(lab, figures)
            done += len(lab.agents)
            continue
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
        if done // len(lab.agents) % 2 == 1:
            kill_unheard(lab)
        else:
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
