#!/usr/bin/env python3
"""./dev bench latency|hunt|storm|drain|beats|slow-reader [--agents N] [--tls]: how a large fleet is served.

Each starts a throwaway backend and holdfast-fleet's simulated agents beside it, on this machine, and measures one thing:

  latency      commands to one agent each, 100 a second; then as many a second as are answered
  hunt         one question to all agents: until the last answer is durable, verified and shown
  storm        all gateways killed at once: until every agent is back; what a connect costs then
  drain        a rolling restart of everything while two analysts are at work
  beats        what a heartbeat costs at a tenth of the agents, and at all
  slow-reader  some agents take 50 bytes a second and are sent much: what the others notice, and what is kept for each

Prints a table, appends one JSON line per figure to OUT/NAME.jsonl, and redraws docs/benchmarks/service.md unless
--no-docs. A figure that misses its target is shown as such and does not fail the run; a command or a link that was
lost does. Loopback only; release binaries; changes no setting of the system.
"""
import argparse
import pathlib
import resource
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from balance import Stream  # noqa: E402
from figures import Figures  # noqa: E402
from scale import readings, world as world_module  # noqa: E402
from scale.world import World  # noqa: E402
import figures_document  # noqa: E402

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs/benchmarks"
LINKS_PER_SECOND = 20000   # admission: the measurement is not to wait for it
CONNECT_SECONDS = 900
SETTLE_SECONDS = 3
BEAT_SECONDS = 75          # each beats within 73
STEADY = 100               # commands a second
STEADY_SECONDS = 30
LOADS = (250, 500, 1000, 2000)  # commands a second, all volleys together
LOAD_SECONDS = 10
VOLLEYS = 4                # connections that send them: one may watch 16 commands
KEPT_UP = 0.95             # of what was asked for in its time: it was sustained
DRAIN_STREAMS = 2
SLOW_COMMANDS = 24           # to each slow reader, 16 of which it may hold without a receipt
SLOW_COMMAND_BYTES = 16000   # of input, with each
SLOW_SECONDS = 20


class Failed(Exception):
    """Something was lost."""


class Service:
    """A world with all its agents connected."""

    def __init__(self, agents, tls, rests_first=False, resumes=True):
        self.agents, self.rests_first, self.resumes = agents, rests_first, resumes
        self.world = World(agents, tls, LINKS_PER_SECOND)
        self.fleet = None
        self.connect_s = self.connect_cpu_s = self.rest_cpu_s = 0.0
        self.volleys = []

    def __enter__(self):
        try:
            self.world.start()
            self.fleet = self.world.start_fleet(self.resumes)
            if self.rests_first:
                cpu = self.cpu()
                time.sleep(BEAT_SECONDS)
                self.rest_cpu_s = self.cpu() - cpu
            cpu, began = self.cpu(), time.monotonic()
            self.fleet.say(f"agents {self.agents}")
            self.wait_online(self.agents)
            self.connect_s, self.connect_cpu_s = time.monotonic() - began, self.cpu() - cpu
            time.sleep(SETTLE_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for child in [*self.volleys, self.fleet]:
            if child is not None and child.process.poll() is None:
                child.end()
        self.world.stop()

    def wait_online(self, wanted):
        until = time.monotonic() + CONNECT_SECONDS
        while (figures := self.fleet.ask("figures"))["online"] < wanted:
            if time.monotonic() > until:
                raise Failed(f"{figures['online']} of {wanted} agents are online: {figures['ends']}")
            time.sleep(0.05)
        return figures

    def volley(self):
        self.volleys.append(self.world.start_volley())
        return self.volleys[-1]

    def warm(self, volley):
        """Connections and caches are there, on all the way."""
        checked(volley.ask(f"run 0 1 {min(self.agents, 200)}"))

    def cpu(self):
        return sum(self.world.server_cpu().values())

    def gateway_private(self):
        """Bytes of private memory of all gateways."""
        return sum(private for slot, (private, _) in self.world.server_memory().items() if slot.startswith("g"))


def checked(said):
    if said["failed"]:
        raise Failed(f"{said['failed']} commands failed: {said['problem']}")
    return said


def at_once(children, lines):
    """Each child gets its line; the answers, and the seconds until the last."""
    began = time.monotonic()
    answers = [None] * len(children)

    def ask(i):
        answers[i] = children[i].ask(lines[i])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(children))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [checked(answer) for answer in answers], time.monotonic() - began


def latency(arguments, figures):
    with Service(arguments.agents, arguments.tls) as service:
        volley = service.volley()
        service.warm(volley)
        spread = max(1, service.agents // (STEADY * STEADY_SECONDS))
        count = min(service.agents // spread, STEADY * STEADY_SECONDS)
        before = service.cpu()
        said = checked(volley.ask(f"rate 1 {spread} {count - 1} {STEADY} {STEADY_SECONDS}"))
        how = f"{service.agents} idle agents, {STEADY} commands a second for {STEADY_SECONDS} s, one agent each, " \
              "signed, verified, durable; time from when each was due"
        figures.add("command at 100/s: p50", said["p50_ms"], "ms", 5, how)
        figures.add("command at 100/s: p99", said["p99_ms"], "ms", 15, how)
        figures.add("command at 100/s: max", said["max_ms"], "ms", None, how)
        figures.add("command at 100/s: server CPU each", (service.cpu() - before) / said["count"] * 1e3, "ms", None,
                    "all processes of the backend, its Redis and what idle agents cost included")
        sustained(service, figures)


def sustained(service, figures):
    """More and more a second, until the backend no longer keeps up."""
    volleys = [service.volley() for _ in range(VOLLEYS)]
    best, best_said, best_cpu = 0, None, 0
    for load in LOADS:
        each = load // VOLLEYS
        count = min(service.agents // VOLLEYS, each * LOAD_SECONDS)
        lines = [f"rate {i} {VOLLEYS} {count} {each} {LOAD_SECONDS}" for i in range(VOLLEYS)]
        before = service.cpu()
        answers, seconds = at_once(volleys, lines)
        done = sum(answer["count"] for answer in answers)
        rate = done / max(answer["seconds"] for answer in answers)
        cpu = (service.cpu() - before) / done * 1e3
        print(f"  {load} a second asked for: {rate:.0f} answered, p99 {max(a['p99_ms'] for a in answers):.1f} ms, "
              f"{cpu:.2f} ms of server CPU each", flush=True)
        if rate > best:
            best, best_said, best_cpu = rate, answers, cpu
        if rate < KEPT_UP * load:
            break
    how = f"{VOLLEYS} clients, {LOAD_SECONDS} s each at {', '.join(map(str, LOADS))}/s until it no longer keeps up; the most " \
          "that was answered"
    figures.add("commands sustained", best, "/s", 2000, how, at_most=False, digits=0)
    figures.add("commands sustained: p99 then", max(answer["p99_ms"] for answer in best_said), "ms", None, how)
    figures.add("commands sustained: server CPU each", best_cpu, "ms", None, how)


def hunt(arguments, figures):
    with Service(arguments.agents, arguments.tls) as service:
        volley = service.volley()
        service.warm(volley)
        before = service.cpu()
        said = checked(volley.ask(f"hunt 0 1 {service.agents}"))
        cpu = service.cpu() - before
        how = f"one query to {service.agents} agents in envelopes of 1,000 targets; until the last result's signature and output " \
              "are verified at the analyst's end"
        scaled = 15 * service.agents / 100_000
        figures.add(f"hunt: all of {service.agents} answered", said["seconds"], "s", scaled, how)
        figures.add("hunt: half of them answered", said["p50_ms"] / 1e3, "s", None, how)
        figures.add("hunt: server CPU an answer", cpu / said["count"] * 1e6, "us", None, how, digits=0)


def storm(arguments, figures):
    with Service(arguments.agents, arguments.tls) as service:
        kind = "TLS" if arguments.tls else "plain"
        gateways = [pid for slot, pid in service.world.server_processes.items() if slot.startswith("g")]
        dials = service.fleet.ask("figures")
        began = time.monotonic()
        for pid in gateways:
            subprocess.run(["kill", "-9", str(pid)], check=True)
        while service.fleet.ask("figures")["online"] > service.agents // 2:
            time.sleep(0.02)
        service.wait_online(service.agents)
        seconds = time.monotonic() - began
        service.world.find_processes()
        after = service.fleet.ask("figures")
        how = f"all gateways of {service.agents} {kind} agents killed at once; agents dial again with full jitter, within " \
              "admission.links_per_second; client and server on the same cores"
        figures.add(f"storm, {kind}: all back", seconds, "s", 60, how, digits=1)
        figures.add(f"storm, {kind}: back a second", service.agents / seconds, "/s", None, how, digits=0)
        figures.add(f"storm, {kind}: dials an agent", (after["dials"] - dials["dials"]) / service.agents, "", None, how)
        first = connecting(service, figures, f"{kind}, resumed" if arguments.tls else kind)
    if arguments.tls:
        with Service(arguments.agents, True, resumes=False) as service:
            full = connecting(service, figures, "TLS, full", 1500)
        figures.add("connecting, TLS: resumed over full", first / full, "", 2, "the two above, each in a run of its own",
                    at_most=False)


def connecting(service, figures, kind, wanted=None):
    """Links a second; of those that were to resume, all but the first of each process must have."""
    metrics = service.world.stack.metrics()
    full, resumed = (metrics.get(f"holdfast_tls_{which}_total", 0) for which in ("full", "resumed"))
    print(f"  {kind}: {full:.0f} full handshakes, {resumed:.0f} resumed", flush=True)
    how = f"{service.agents} agents ({kind}) connect as fast as both ends can: handshake, Hello, proof, Welcome"
    rate = service.agents / service.connect_s
    figures.add(f"connecting, {kind}: links a second", rate, "/s", wanted, how, at_most=False, digits=0)
    figures.add(f"connecting, {kind}: server CPU a link", service.connect_cpu_s / service.agents * 1e6, "us", None, how,
                digits=0)
    return rate


def drain(arguments, figures):
    """Commands come from the command line's program, as an analyst's would: it finds control again."""
    with Service(arguments.agents, arguments.tls) as service:
        names = [f"sim-{number:06}" for number in range(DRAIN_STREAMS * 50)]
        streams = [Stream(service.world.stack, names[first::DRAIN_STREAMS]) for first in range(DRAIN_STREAMS)]
        before = service.fleet.ask("figures")
        for stream in streams:
            stream.start()
        time.sleep(1)
        began = time.monotonic()
        service.world.order("roll")
        rolled = time.monotonic() - began
        service.wait_online(service.agents)
        seconds = time.monotonic() - began
        for stream in streams:
            stream.stop()
        failed = [reply for stream in streams for reply in stream.failed]
        if failed:
            raise Failed(f"{len(failed)} commands failed, the first: {failed[0]}")
        after = service.fleet.ask("figures")
        how = f"holdfastd roll of {service.world.gateways} gateways with {service.agents} links, {DRAIN_STREAMS} analysts at work meanwhile"
        figures.add("drain: roll over after", rolled, "s", None, how, digits=1)
        figures.add("drain: all agents online after", seconds, "s", None, how, digits=1)
        figures.add("drain: links a second moved", service.agents / seconds, "/s", None, how, digits=0)
        figures.add("drain: failed commands", len(failed), "", 0,
                    how + f"; {sum(stream.count for stream in streams)} commands", digits=0)
        figures.add("drain: slowest command", max(stream.longest for stream in streams), "s", None, how)
        figures.add("drain: dials an agent", (after["dials"] - before["dials"]) / service.agents, "", None, how)


def beats(arguments, figures):
    costs = {}
    for name, agents in (("a tenth", max(1, arguments.agents // 10)), ("all", arguments.agents)):
        with Service(agents, arguments.tls, rests_first=True) as service:
            costs[name] = cost_of_beats(service)
    how = f"server CPU over {BEAT_SECONDS} s of rest, less what the same processes took without agents, by the beats answered; " \
          f"{arguments.agents} agents and a tenth of them"
    figures.add("beat: server CPU at a tenth", costs["a tenth"], "us", None, how, digits=1)
    figures.add("beat: server CPU at all", costs["all"], "us", None, how, digits=1)
    figures.add("beat: at all over at a tenth", costs["all"] / costs["a tenth"], "", 1.1, how)


def cost_of_beats(service):
    cpu, before = service.cpu(), service.fleet.ask("figures")["beats_answered"]
    time.sleep(BEAT_SECONDS)
    beats_answered = service.fleet.ask("figures")["beats_answered"] - before
    return (service.cpu() - cpu - service.rest_cpu_s) / beats_answered * 1e6


def slow_reader(arguments, figures):
    with Service(arguments.agents, arguments.tls) as service:
        stack, slow = service.world.stack, max(1, service.agents // 10)
        volley = service.volley()
        service.warm(volley)

        def steady():
            return checked(volley.ask(f"rate 0 1 {service.agents} {STEADY} {SLOW_SECONDS}"))
        alone = steady()
        slow_fleet = subprocess.Popen(
            [world_module.stack_module.BIN / "holdfast-fleet", "--bundle", stack.bundle("--uses", slow, "--label", "reads=slowly"),
             "--agents", str(slow), "--slow", "100", "--ramp", "80", "--source-base", "127.9.0.0"],
            env=stack.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=world_module.procs.end_with_parent)
        try:
            until = time.monotonic() + CONNECT_SECONDS
            while stack.metrics()["holdfast_links"] < service.agents + slow:
                if slow_fleet.poll() is not None or time.monotonic() > until:
                    raise Failed("the slow readers do not connect")
                time.sleep(0.2)
            time.sleep(SETTLE_SECONDS)
            before, kernel_before = service.gateway_private(), readings.socket_memory()
            text = stack.dir / "input"
            text.write_text("x" * SLOW_COMMAND_BYTES)
            for _ in range(SLOW_COMMANDS):
                stack.holdfast("exec", "label:reads=slowly", "--wait", "0", "-y", "--stdin-file", text, "--", "true", timeout=120)
            time.sleep(SETTLE_SECONDS)
            after, kernel_after = service.gateway_private(), readings.socket_memory()
            beside = steady()
            links = stack.metrics()["holdfast_links"]
        finally:
            slow_fleet.terminate()
            slow_fleet.wait()
        how = f"{slow} agents that read 50 bytes a second, each sent {SLOW_COMMANDS} commands of {SLOW_COMMAND_BYTES} bytes, beside " \
              f"{service.agents} that read"
        figures.add("slow readers: gateway's memory for each", (after - before) / slow / 1024, "KiB", 640, how, digits=1)
        figures.add("slow readers: the kernel's memory for each", (kernel_after - kernel_before) / slow / 1024, "KiB", None,
                    how + "; of both ends' sockets", digits=1)
        figures.add(f"slow readers: of their links stand after {SLOW_SECONDS} s", links - service.agents, "", None, how, digits=0)
        for part in ("p50", "p99"):
            figures.add(f"command to others at 100/s, alone: {part}", alone[f"{part}_ms"], "ms", None, how)
            figures.add(f"command to others at 100/s, beside slow readers: {part}", beside[f"{part}_ms"], "ms", None, how)
        figures.add("beside slow readers over alone: p50", beside["p50_ms"] / alone["p50_ms"], "", 1.5, how)


# name: (what runs, agents by default)
BENCHES = {"latency": (latency, 100_000), "hunt": (hunt, 100_000), "storm": (storm, 20_000), "drain": (drain, 20_000),
           "beats": (beats, 100_000), "slow-reader": (slow_reader, 1_000)}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("bench", choices=BENCHES)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--agents", type=int)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--no-docs", action="store_true", help="leave docs/benchmarks/ alone")
    arguments = parser.parse_args()
    run, usual = BENCHES[arguments.bench]
    arguments.agents = arguments.agents or usual
    world_module.set_binaries(arguments.bin)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"{arguments.bench}: {arguments.agents} simulated agents, {'TLS' if arguments.tls else 'plain'}; {readings.machine()}")
    figures = Figures(arguments.out, arguments.bench)
    try:
        run(arguments, figures)
    except Failed as lost:
        print(f"bench {arguments.bench}: {lost}", file=sys.stderr)
        return 1
    if not arguments.no_docs:
        figures_document.write(arguments.out, list(BENCHES), DOCS / "service.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
