"""RedisCluster: three masters and a replica of each, on loopback.

Each node has the users that it is given and an admin, by whom the nodes replicate.
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

MASTERS = 3
SLOTS = 16384
DOWN_MS = 1000
START_SECONDS = 30
OURS = "{hf}"  # tag of every stream's key


class RedisCluster:
    def __init__(self, acl):
        """`acl`: lines of the users; the admin is added."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-cluster-"))
        ports = free_ports(4 * MASTERS)
        self.ports, self.buses = ports[:2 * MASTERS], dict(zip(ports[:2 * MASTERS], ports[2 * MASTERS:]))
        (self.dir / "users.acl").write_text(f"{acl}\nuser {REDIS_ADMIN[0]} on >{REDIS_ADMIN[1]} ~* &* +@all\nuser default off\n")
        self.servers = {}

    @property
    def url(self):
        return "cluster://" + ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def start(self):
        for port in self.ports:
            self.start_server(port)
        wait_for(lambda: all(self.answers(port) for port in self.ports), START_SECONDS, self.logs)
        masters, replicas = self.ports[:MASTERS], self.ports[MASTERS:]
        for at, port in enumerate(masters):
            self.ask(port, "CLUSTER", "ADDSLOTSRANGE", at * SLOTS // MASTERS, (at + 1) * SLOTS // MASTERS - 1)
        for port in self.ports[1:]:
            self.ask(self.ports[0], "CLUSTER", "MEET", "127.0.0.1", port, self.buses[port])
        wait_for(lambda: all(self.info(port).get("cluster_known_nodes") == str(len(self.ports)) for port in self.ports),
                 START_SECONDS, self.logs)
        for master, replica in zip(masters, replicas):
            wait_for(lambda master=master, replica=replica: self.follows(replica, master), START_SECONDS, self.logs, every=0.2)
        self.wait_whole()
        return self

    def follows(self, replica, master):
        with contextlib.suppress(RuntimeError):  # it does not know that master yet
            return self.ask(replica, "CLUSTER", "REPLICATE", self.id(master)) is not None
        return False

    def start_server(self, port):
        folder = self.dir / str(port)
        folder.mkdir(exist_ok=True)
        self.servers[port] = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--aclfile", self.dir / "users.acl", "--masteruser",
             REDIS_ADMIN[0], "--masterauth", REDIS_ADMIN[1], "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
             "--cluster-enabled", "yes", "--cluster-port", str(self.buses[port]), "--cluster-node-timeout", str(DOWN_MS),
             "--dir", folder, "--logfile", self.dir / f"redis-{port}.log"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=procs.end_with_parent)

    def ask(self, port, *words):
        client = Redis(("127.0.0.1", port))
        try:
            client.call("AUTH", *REDIS_ADMIN)
            return client.call(*map(str, words))
        finally:
            client.close()

    def answers(self, port):
        with contextlib.suppress(OSError, RuntimeError):
            return self.ask(port, "PING") is not None
        return False

    def runs(self, port):
        return self.servers[port].poll() is None and procs.Process(self.servers[port].pid).state() != "T"

    def info(self, port):
        with contextlib.suppress(OSError, RuntimeError):
            lines = self.ask(port, "CLUSTER", "INFO").decode().split("\r\n")
            return dict(line.split(":", 1) for line in lines if ":" in line)
        return {}

    def id(self, port):
        return self.ask(port, "CLUSTER", "MYID").decode()

    def role(self, port):
        with contextlib.suppress(OSError, RuntimeError):
            return self.ask(port, "ROLE")[0].decode()
        return ""

    def slot(self):
        return self.ask(next(port for port in self.ports if self.runs(port)), "CLUSTER", "KEYSLOT", OURS)

    def master(self):
        """Who has our streams, as those say that run; None while they do not agree."""
        slot, said = self.slot(), set()
        for port in filter(self.runs, self.ports):
            for first, last, master, *_ in self.ask(port, "CLUSTER", "SLOTS"):
                if first <= slot <= last:
                    said.add(master[1])
        return said.pop() if len(said) == 1 else None

    def replicas(self, master):
        """Of this master, those that follow it now."""
        found = []
        for port in filter(self.runs, self.ports):
            role = self.ask(port, "ROLE")
            if role[0] == b"slave" and role[2] == master and role[3] == b"connected":
                found.append(port)
        return found

    def is_whole(self):
        with contextlib.suppress(OSError, RuntimeError):
            if not all(self.info(port).get("cluster_state") == "ok" for port in self.ports):
                return False
            masters = [port for port in self.ports if self.role(port) == "master"]
            return len(masters) == MASTERS and all(self.replicas(port) for port in masters) and self.master() is not None
        return False

    def wait_whole(self):
        """All run, each master has its replica, and all know it: the next failover may come."""
        wait_for(self.is_whole, START_SECONDS, self.logs, every=0.2)

    def wait_moved(self, old):
        wait_for(lambda: self.master() not in (old, None) and self.role(self.master()) == "master", START_SECONDS, self.logs,
                 every=0.05)

    def order_failover(self, old):
        """Of our streams' master, by an operator. Redis gives an order up after 5 s when the replica has only just come back."""
        orders = 4
        for _ in range(orders):
            self.ask(self.replicas(old)[0], "CLUSTER", "FAILOVER")
            with contextlib.suppress(AssertionError):
                return wait_for(lambda: self.master() not in (old, None), 6, self.logs, every=0.05)
        raise AssertionError(f"no failover after {orders} orders\n{self.logs()}")

    def move_slot(self):
        """To another master, with all that lies in it, as redis-cli --cluster reshard does; who has it then."""
        return self.end_move(*self.begin_move())

    def begin_move(self):
        """Who has the slot, and who is to get it: nothing has left yet."""
        slot, source = self.slot(), self.master()
        target = next(port for port in self.ports if self.role(port) == "master" and port != source)
        self.ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", self.id(source))
        self.ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", self.id(target))
        return source, target

    def keys(self, port):
        """Of our slot that lie there."""
        return [key.decode() for key in self.ask(port, "CLUSTER", "GETKEYSINSLOT", self.slot(), 100)]

    def move_keys(self, source, target, keys):
        self.ask(source, "MIGRATE", "127.0.0.1", target, "", 0, 5000, "AUTH2", *REDIS_ADMIN, "KEYS", *keys)

    def end_move(self, source, target):
        slot = self.slot()
        while keys := self.keys(source):
            self.move_keys(source, target, keys)
        for port in (target, source, *(p for p in self.ports if self.role(p) == "master" and p not in (target, source))):
            self.ask(port, "CLUSTER", "SETSLOT", slot, "NODE", self.id(target))
        return target

    def logs(self):
        return "\n".join(f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-12:])
                         for path in sorted(self.dir.glob("*.log")))

    def stop(self):
        for process in self.servers.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
