#!/usr/bin/env python3
"""./dev bench profile NAME [--agents N] [--tls]: where the backend's processor time goes, as a flame graph.

    connect      agents connect: with --tls, full handshakes
    resume       the same with sessions that are resumed
    commands     commands to one agent each, 200 a second
    hunt         one question to all agents
    beats        nothing but heartbeats

Runs what ./dev bench storm, latency, hunt and beats measure, with perf beside it: the call stacks of all processes of the backend and of
its Redis, SAMPLES a second of each processor. Leaves OUT/profile-NAME.svg, prints what each process spent and in which
functions (with all that these called), and puts that into docs/benchmarks/profile.md unless --no-docs. Loopback only; release code
with its symbols; needs to be root.
"""
import argparse
import pathlib
import resource
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import flame_graph  # noqa: E402
import service as service_module  # noqa: E402
from scale import readings, world as world_module  # noqa: E402
from service import Failed, Service, checked  # noqa: E402

SAMPLES = 397        # a second: not in step with anything
STACK_BYTES = 16384  # of a stack, copied with each sample: libraries keep no frame pointers
SHOWN = 16           # functions of a process
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/benchmarks/profile.md"
LOOKED_INTO = 0.05   # of all: of a process that took less nothing more is said
WHOLE = 0.95         # of a process: its loop, and what only leads there
RATE, SECONDS = 200, 20


class Recording:
    """perf, for as long as a block runs."""

    def __init__(self, processes, data):
        self.processes, self.data = processes, data

    def __enter__(self):
        pids = ",".join(str(pid) for pid in self.processes.values())
        self.perf = subprocess.Popen(
            ["perf", "record", "-q", "-F", str(SAMPLES), "--call-graph", f"dwarf,{STACK_BYTES}", "-o", self.data, "-p", pids],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        if self.perf.poll() is not None:
            raise SystemExit("perf does not record here; `perf record -p PID` says why")
        return self

    def __exit__(self, *_):
        self.perf.send_signal(signal.SIGINT)
        self.perf.wait(120)

    def stacks(self):
        said = subprocess.run(["perf", "script", "--no-inline", "-i", self.data], check=True, capture_output=True, text=True,
                              errors="replace").stdout
        return flame_graph.fold(said.splitlines(), {pid: slot for slot, pid in self.processes.items()})


class Connecting(Service):
    """Recorded from before its agents connect."""

    def __init__(self, agents, tls, resumes, data):
        super().__init__(agents, tls, resumes=resumes)
        self.data = data

    def wait_online(self, wanted):
        with Recording(self.world.server_processes, self.data) as self.recording:
            return super().wait_online(wanted)


def connect(arguments, data, resumes=False):
    with Connecting(arguments.agents, arguments.tls, resumes, data) as service:
        return service.recording, service.agents, "link"


def resume(arguments, data):
    arguments.tls = True
    return connect(arguments, data, resumes=True)


def commands(arguments, data):
    with Service(arguments.agents, arguments.tls) as service:
        volley = service.volley()
        service.warm(volley)
        count = min(service.agents, RATE * SECONDS)
        with Recording(service.world.server_processes, data) as recording:
            said = checked(volley.ask(f"rate 0 1 {count} {RATE} {SECONDS}"))
        return recording, said["count"], "command"


def hunt(arguments, data):
    with Service(arguments.agents, arguments.tls) as service:
        volley = service.volley()
        service.warm(volley)
        with Recording(service.world.server_processes, data) as recording:
            said = checked(volley.ask(f"hunt 0 1 {service.agents}"))
        return recording, said["count"], "answer"


def beats(arguments, data):
    with Service(arguments.agents, arguments.tls) as service:
        before = service.fleet.ask("figures")["beats_answered"]
        with Recording(service.world.server_processes, data) as recording:
            time.sleep(service_module.BEAT_SECONDS)
        return recording, service.fleet.ask("figures")["beats_answered"] - before, "beat"


PROFILES = {"connect": connect, "resume": resume, "commands": commands, "hunt": hunt, "beats": beats}


def table(stacks, count, what):
    """Microseconds of processor time for each of `count`: in all, by process, and in what."""
    each = 1e6 / SAMPLES / count
    total = sum(stacks.values())
    lines = [f"{total * each:.0f} us of processor time a {what}, of {count}"]
    for process, functions in sorted(flame_graph.inclusive(stacks).items(), key=lambda item: -item[1][item[0]]):
        lines += ["", f"{process}: {functions[process] * each:.1f} us"]
        if functions[process] < LOOKED_INTO * total:
            continue
        parts = [(name, samples) for name, samples in functions.most_common() if samples < WHOLE * functions[process]]
        lines += [f"  {samples * each:8.1f} us  {samples / functions[process]:4.0%}  {name}" for name, samples in parts[:SHOWN]]
    return "\n".join(lines)


def write_page(name, title, text):
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = PAGE.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end)
    PAGE.write_text(f"{before}{begin}\n{title}\n```\n{text}\n```\n{end}{after}", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench profile")
    parser.add_argument("profile", choices=PROFILES)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--no-docs", action="store_true", help="leave docs/benchmarks/ alone")
    arguments = parser.parse_args()
    world_module.set_binaries(arguments.bin)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    arguments.out.mkdir(parents=True, exist_ok=True)
    data = arguments.out / "profile.data"
    try:
        recording, count, what = PROFILES[arguments.profile](arguments, data)
    except Failed as lost:
        print(f"bench profile: {lost}", file=sys.stderr)
        return 1
    print("reading the stacks; this takes a while", flush=True)
    stacks = recording.stacks()
    data.unlink()
    title = f"{arguments.profile}: {arguments.agents} agents, {'TLS' if arguments.tls else 'plain'}; {readings.machine()}"
    text = table(stacks, count, what)
    picture = arguments.out / f"profile-{arguments.profile}{'-tls' if arguments.tls else ''}.svg"
    picture.write_text(flame_graph.svg(stacks, title), encoding="utf-8")
    print(f"{text}\n\n{picture}")
    if not arguments.no_docs:
        write_page(arguments.profile, title, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
