"""SentinelSet: two Redis servers, of which one is the master, and three Sentinels that choose, all on loopback.

Each server has the users of docs/operations/redis.md and an admin, by whom they replicate and the Sentinels look.
"""
import contextlib
import pathlib
import shutil
import signal
import subprocess
import tempfile

from . import procs
from .procs import wait_for
from .redis import Redis
from .stack import REDIS_ADMIN, free_ports

MASTER = "holdfast"
DOWN_MS = 1000
FAILOVER_MS = 3000
START_SECONDS = 20


class SentinelSet:
    def __init__(self, acl):
        """`acl`: lines of the users; the admin is added."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-sentinel-"))
        ports = free_ports(5)
        self.ports, self.sentinel_ports = ports[:2], ports[2:]
        (self.dir / "users.acl").write_text(f"{acl}\nuser {REDIS_ADMIN[0]} on >{REDIS_ADMIN[1]} ~* &* +@all\nuser default off\n")
        self.servers, self.sentinels = {}, {}

    @property
    def url(self):
        return "sentinel://" + ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports) + f"/{MASTER}"

    def start(self):
        first, second = self.ports
        self.start_server(first)
        self.start_server(second, "--replicaof", f"127.0.0.1 {first}")
        for port in self.sentinel_ports:
            file = self.dir / f"sentinel-{port}.conf"
            file.write_text(f"port {port}\nbind 127.0.0.1\ndir {self.dir}\nlogfile {self.dir}/sentinel-{port}.log\n"
                            f"sentinel monitor {MASTER} 127.0.0.1 {first} 2\nsentinel auth-user {MASTER} {REDIS_ADMIN[0]}\n"
                            f"sentinel auth-pass {MASTER} {REDIS_ADMIN[1]}\nsentinel down-after-milliseconds {MASTER} {DOWN_MS}\n"
                            f"sentinel failover-timeout {MASTER} {FAILOVER_MS}\n")
            self.start_sentinel(port)
        wait_for(lambda: all(self.ready(port) for port in self.sentinel_ports), START_SECONDS, self.logs)
        return self

    def _run(self, *argv):
        return subprocess.Popen(["redis-server", *map(str, argv)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                preexec_fn=procs.end_with_parent)

    def start_server(self, port, *more):
        folder = self.dir / str(port)
        folder.mkdir(exist_ok=True)
        self.servers[port] = self._run("--port", port, "--bind", "127.0.0.1", "--aclfile", self.dir / "users.acl", "--masteruser",
                                       REDIS_ADMIN[0], "--masterauth", REDIS_ADMIN[1], "--save", "", "--appendonly", "no",
                                       "--repl-diskless-sync-delay", "0", "--dir", folder, "--logfile",
                                       self.dir / f"redis-{port}.log", *more)

    def start_sentinel(self, port):
        self.sentinels[port] = self._run(self.dir / f"sentinel-{port}.conf", "--sentinel")

    def ready(self, port):
        """It sees the replica, and the two others."""
        with contextlib.suppress(OSError):
            words = self.ask(port, "SENTINEL", "MASTER", MASTER)
            facts = dict(zip(words[::2], words[1::2]))
            return (facts[b"num-slaves"], facts[b"num-other-sentinels"], facts[b"flags"]) == (b"1", b"2", b"master")
        return False

    def ask(self, port, *words):
        client = Redis(("127.0.0.1", port))
        try:
            if port in self.ports:
                client.call("AUTH", *REDIS_ADMIN)
            return client.call(*words)
        finally:
            client.close()

    def role(self, port):
        with contextlib.suppress(OSError):
            return self.ask(port, "ROLE")[0].decode()
        return ""

    @property
    def master(self):
        """As those say that run."""
        for port in self.sentinel_ports:
            with contextlib.suppress(OSError, AttributeError):
                return int(self.ask(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1])
        raise AssertionError(f"no Sentinel answers\n{self.logs()}")

    @property
    def replica(self):
        return next(port for port in self.ports if port != self.master)

    def offset(self, port):
        """How many bytes of changes it has seen."""
        text = self.ask(port, "INFO", "replication").decode()
        return int(next(line for line in text.split("\r\n") if line.startswith("master_repl_offset:")).split(":")[1])

    def in_step(self):
        with contextlib.suppress(OSError, RuntimeError):  # it starts
            replica = self.ask(self.replica, "ROLE")
            return replica[0] == b"slave" and replica[3] == b"connected" and all(self.ready(port) for port in self.sentinel_ports)
        return False

    def wait_whole(self):
        """Both run, one follows the other, and all Sentinels know it: the next failover may come."""
        wait_for(self.in_step, START_SECONDS, self.logs)

    def wait_moved(self, old):
        wait_for(lambda: self.master != old and self.role(self.master) == "master", START_SECONDS, self.logs, every=0.05)

    def logs(self):
        return "\n".join(f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:])
                         for path in sorted(self.dir.glob("*.log")))

    def stop(self):
        for process in [*self.sentinels.values(), *self.servers.values()]:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
