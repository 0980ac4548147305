#!/usr/bin/env python3
"""./dev bench proxy [--agents N]: TLS ended by holdfastd itself, by nginx and by haproxy in front of it.

The configurations are those of packaging/proxies/, with paths, ports and the number of descriptors of this machine. Each
turn starts a throwaway backend and simulated agents that shake hands in full: how many come in a second, what processor
time and memory each takes of backend and proxy together, and how long commands then take. Prints a table, appends one
JSON line per figure to OUT/proxy.jsonl, and redraws docs/benchmarks/proxy.md unless --no-docs. Loopback only.
"""
import argparse
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from figures import Figures  # noqa: E402
from scale import readings, world as world_module  # noqa: E402
from scale.world import World, procs  # noqa: E402
from service import Failed, Service, checked  # noqa: E402
import figures_document  # noqa: E402
from harness.procs import wait_for  # noqa: E402
from harness.stack import free_ports  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENTS = 5000  # a proxy has two descriptors a link
LINKS_PER_SECOND = 20000  # admission: the measurement is not to wait for it
COMMANDS_PER_SECOND, SECONDS = 50, 10
START_SECONDS = 10
SPARE_DESCRIPTORS = 100


class Front:
    """A proxy with the shipped configuration, for one backend's ports."""

    def __init__(self, folder, fleet, ports, behind, agents):
        self.folder, self.fleet, self.ports, self.agents = folder, fleet, ports, agents
        self.moved = {"8443": ports[0], "8444": ports[1], "18443": behind[0], "18444": behind[1]}
        self.process = None

    def shipped(self, name):
        text = (ROOT / "packaging/proxies" / name).read_text()
        text = re.sub(r"(?<=[ :])(1?844[34])(?=[ ;\n])", lambda m: str(self.moved[m[1]]), text)
        return text.replace("/var/lib/holdfast/fleet", str(self.fleet))

    def start(self):
        self.process = subprocess.Popen(self.argv(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        preexec_fn=procs.end_with_parent)
        wait_for(self.listens, START_SECONDS, lambda: f"{self.argv()[0]} does not listen; ended: {self.process.poll()}")

    def listens(self):
        return f":{self.ports[0]}" in subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout

    def pids(self):
        return [self.process.pid, *(p.pid for p in procs.descendants(self.process.pid))]

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(START_SECONDS)


class Nginx(Front):
    def argv(self):
        text = self.shipped("nginx.conf").replace("user www-data;", "user root;")
        text = text.replace("/run/nginx.pid", f"{self.folder}/nginx.pid").replace("/var/log/nginx", str(self.folder))
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        text = text.replace("worker_rlimit_nofile 1048576", f"worker_rlimit_nofile {most}")
        text = text.replace("worker_connections 65536", f"worker_connections {most - SPARE_DESCRIPTORS}")
        (self.folder / "nginx.conf").write_text(text)
        return ["nginx", "-c", str(self.folder / "nginx.conf"), "-g", "daemon off;"]


class Haproxy(Front):
    def argv(self):
        tls = self.fleet / "server/tls"
        pem = self.folder / "holdfast.pem"
        pem.write_text((tls / "server.crt").read_text() + (tls / "server.key").read_text())
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        text = self.shipped("haproxy.cfg").replace("/etc/haproxy/holdfast.pem", str(pem))
        text = re.sub(r"(?m)^  (user|group|log /dev/log).*\n", "", text)
        text = text.replace("maxconn 200000", f"maxconn {(most - SPARE_DESCRIPTORS) // 2}")
        (self.folder / "haproxy.cfg").write_text(text)
        return ["haproxy", "-q", "-db", "-f", str(self.folder / "haproxy.cfg")]


class FrontedWorld(World):
    """Agents and tools dial the proxy; the backend listens behind it, without TLS."""

    def __init__(self, agents, front):
        super().__init__(agents, True, LINKS_PER_SECOND)
        self.front = None
        if front is None:
            return
        behind = free_ports(2)
        self.settings += [("tls", "plain", True), ("proxies", "trusted", ["127.0.0.1"]),
                          *((section, "listen", f"127.0.0.1:{port}") for section, port in zip(("agents", "api"), behind))]
        stack = self.stack
        self.front = front(stack.dir, stack.fleet, (stack.agent_port, stack.api_port), behind, agents)

    def start(self):
        super().start()
        if self.front:
            self.front.start()

    def stop(self):
        if self.front:
            self.front.stop()
        super().stop()

    def pids(self):
        return [*self.server_processes.values(), *(self.front.pids() if self.front else ())]


class FrontedService(Service):
    def __init__(self, agents, front):
        super().__init__(agents, True, resumes=False)
        self.world = FrontedWorld(agents, front)
        self.private_before = 0

    def cpu(self):
        return sum(readings.cpu_seconds(pid) for pid in self.world.pids())

    def private(self):
        return sum(readings.memory(pid)[0] for pid in self.world.pids())


def turn(name, front, agents, figures):
    """The figures of one way in, of which some are compared."""
    service = FrontedService(agents, front)
    before = {}

    def start_fleet(resumes=True, begin=service.world.start_fleet):
        before["private"] = service.private()
        return begin(resumes)
    service.world.start_fleet = start_fleet
    with service:
        rate, cpu_us = agents / service.connect_s, service.connect_cpu_s / agents * 1e6
        memory = (service.private() - before["private"]) / agents
        volley = service.volley()
        service.warm(volley)
        said = checked(volley.ask(f"rate 1 1 {agents - 1} {COMMANDS_PER_SECOND} {SECONDS}"))
    how = f"{agents} agents, full handshakes, backend and proxy together; agents on the same two cores"
    figures.add(f"{name}: links a second", rate, "/s", None, how, digits=0)
    figures.add(f"{name}: CPU a link", cpu_us, "us", None, how, digits=0)
    figures.add(f"{name}: memory a link", memory / 1024, "KiB", None, how + "; private memory", digits=1)
    figures.add(f"{name}: command, p50", said["p50_ms"], "ms", None, f"{COMMANDS_PER_SECOND} a second, signed, verified, durable")
    figures.add(f"{name}: command, p99", said["p99_ms"], "ms", None, "as above")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench proxy")
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--agents", type=int, default=AGENTS)
    parser.add_argument("--no-docs", action="store_true", help="leave docs/benchmarks/ alone")
    arguments = parser.parse_args()
    world_module.set_binaries(arguments.bin)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    figures = Figures(arguments.out, "proxy")
    began = time.monotonic()
    try:
        for name, front, program in (("holdfastd", None, None), ("nginx", Nginx, "nginx"), ("haproxy", Haproxy, "haproxy")):
            if program and not shutil.which(program):
                raise Failed(f"{program} is not installed")
            turn(name, front, arguments.agents, figures)
    except Failed as lost:
        print(f"bench proxy: {lost}", file=sys.stderr)
        return 1
    print(f"{time.monotonic() - began:.0f} s")
    if not arguments.no_docs:
        figures_document.write(arguments.out, ["proxy"], ROOT / "docs/benchmarks/proxy.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
