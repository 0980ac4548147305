"""What is measured of one server: the rounds, ping-pong, and memory while links are held."""
import datetime
import json
import os
import pathlib
import subprocess
import time

from peers import Server


def machine():
    cpu = "unknown processor"
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            cpu = line.split(":")[1].strip()
            break
    memory_kb = meminfo("MemTotal")
    congestion = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text(encoding="ascii")
    return (f"{cpu}, {os.cpu_count()} cores, {memory_kb / 2**20:.0f} GiB, Linux {os.uname().release}, "
            f"TCP {congestion.strip()}")


def meminfo(key):
    for line in open("/proc/meminfo", encoding="ascii"):
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise KeyError(key)


def pss_bytes(pids):
    total = 0
    for pid in pids:
        for line in open(f"/proc/{pid}/smaps_rollup", encoding="ascii"):
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def listen_drops():
    """Connections that the kernel dropped because a backlog was full, since the machine started."""
    names = values = None
    for line in open("/proc/net/netstat", encoding="ascii"):
        if line.startswith("TcpExt:"):
            names, values = values, line.split()
            if names is None:
                continue
            found = dict(zip(names, values))
            return int(found["ListenDrops"]) + int(found["ListenOverflows"])
    return 0


class Measurement:
    """One peer's rows. `keep` takes each as a dict."""

    def __init__(self, peer, client, log, keep, plan):
        self.peer, self.client, self.log, self.keep, self.plan = peer, client, log, keep, plan
        # One core each, as long as one process serves; else all share all.
        pinned = peer.workers == 1 and (os.cpu_count() or 1) > 1
        self.server_pin, self.client_pin = (0, 1) if pinned else (None, None)

    def row(self, kind, clients, **figures):
        self.keep({"id": kind, "peer": self.peer.name, "version": self.peer.version, "n": clients,
                   "workers": self.peer.workers,
                   "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                   **figures})

    def start(self):
        return Server(self.peer, self.server_pin, self.log)

    def client_argv(self, mode, server, clients, *more):
        held = ["taskset", "-c", str(self.client_pin)] if self.client_pin is not None else []
        return [*held, self.client, mode, "--port", str(server.port), "--clients", clients,
                "--server-pids", ",".join(map(str, server.pids())), *map(str, more)]

    def rows_of(self, argv):
        """JSON lines of a client, as they come; an error of its own is a row with nothing answered."""
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            for line in run.stdout:
                yield json.loads(line)
            problem = run.stderr.read().strip()
        if run.returncode != 0:
            yield {"problem": problem or f"the client ended with {run.returncode}"}

    def rounds(self):
        clients = self.plan.clients
        self.some_rounds("B1", clients, "together", self.plan.requests, self.plan.repeats)
        self.some_rounds("B1", clients[-1:], "each", self.plan.requests, self.plan.repeats)

    def full(self):
        if self.peer.plays_all:
            clients = range(100, 100 * self.plan.full_rounds + 1, 100)
            self.some_rounds("B2", clients, "together", 100, 1)

    def some_rounds(self, kind, clients, send, requests, repeats):
        how = ["--requests", requests, "--repeat-last", repeats]
        how += ["--together"] if send == "together" else []
        load, drops = os.getloadavg()[0], listen_drops()
        with self.start() as server:
            argv = self.client_argv("rounds", server, ",".join(map(str, clients)), *how)
            for said in self.rows_of(argv):
                if "problem" in said:
                    self.row(kind, 0, send=send, problem=said["problem"])
                    return
                self.row(kind, said["clients"], send=send, requests=said["requests"],
                         answered=said["answered"], total=said["total"], wall_s=said["time_s"],
                         cpu_us_per_msg=said["server_cpu_s"] * 1e6 / max(said["messages"], 1),
                         client_us_per_msg=said["client_cpu_s"] * 1e6 / max(said["messages"], 1),
                         p50=said["p50_ms"], p99=said["p99_ms"], longest=said["longest_ms"],
                         shortest=said["shortest_ms"], mean=said["mean_ms"],
                         connection_time_s=said["connection_time_s"], reconnects=said["reconnects"],
                         gave_up=said["gave_up"], repeated=said["repeated"], bad=said["bad"],
                         listen_drops=listen_drops() - drops, load_before=load)
                drops = listen_drops()

    def ping_pong(self):
        for clients in self.plan.ping_pong_clients:
            load, drops = os.getloadavg()[0], listen_drops()
            with self.start() as server:
                argv = self.client_argv("pingpong", server, str(clients), "--seconds",
                                        self.plan.ping_pong_seconds)
                for said in self.rows_of(argv):
                    if "problem" in said:
                        self.row("B3", clients, problem=said["problem"])
                        continue
                    self.row("B3", clients, per_s=said["per_s"], wall_s=said["seconds"],
                             cpu_us_per_msg=said["server_cpu_s"] * 1e6 / said["messages"],
                             client_us_per_msg=said["client_cpu_s"] * 1e6 / said["messages"],
                             p50=said["p50_ms"], p99=said["p99_ms"], reconnects=said["reconnects"],
                             listen_drops=listen_drops() - drops, load_before=load)

    def memory(self):
        clients = self.plan.clients[-1]
        load, drops = os.getloadavg()[0], listen_drops()
        with self.start() as server:
            pids = server.pids()
            pss, slab = pss_bytes(pids), meminfo("Slab")
            had = {pid: descriptors(pid) for pid in pids}
            argv = self.client_argv("hold", server, str(clients))
            with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as held:
                line = held.stdout.readline()
                if not line:
                    self.row("B4", clients, problem="the client got no connections")
                    return
                time.sleep(self.plan.settle_seconds)
                per_worker = [descriptors(pid) - had[pid] for pid in pids]
                # Half of what loopback connections cost the kernel is the client's.
                self.row("B4", clients, bytes_user=(pss_bytes(pids) - pss) / clients,
                         bytes_kernel=(meminfo("Slab") - slab) * 1024 / clients / 2,
                         base_bytes=pss, per_worker=[some for some in per_worker if some > clients / 100],
                         connection_time_s=json.loads(line)["connection_time_s"],
                         listen_drops=listen_drops() - drops, load_before=load)
                held.stdin.close()
                held.wait()
