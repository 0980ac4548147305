"""The servers of the seed's experiment: how each is started, and what is there of it."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent / "peers"
PYTHON = "/usr/bin/python3"  # the distribution's, which has the distribution's packages
START_SECONDS = 20
WORKERS = 2


class Missing(Exception):
    """What a peer needs is not there; the text says what."""


class Peer:
    """`argv`: from a port. `plays_all`: also the article's hundred rounds, which take others an hour."""

    def __init__(self, name, argv, version, workers=1, plays_all=False):
        self.name, self.argv, self.version, self.workers = name, argv, version, workers
        self.plays_all = plays_all


def python_version(*modules):
    """"aiohttp 3.8.4, uvloop 0.17.0, Python 3.11.2"; raises Missing."""
    code = ("import sys" + "".join(f", {module}" for module in modules) + "; print(', '.join(["
            + "".join(f"'{module} ' + {module}.__version__, " for module in modules)
            + "'Python ' + sys.version.split()[0]]))")
    if not os.path.exists(PYTHON):
        raise Missing(f"no {PYTHON}")
    said = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    if said.returncode != 0:
        raise Missing(said.stderr.strip().splitlines()[-1])
    return said.stdout.strip()


def node_version(modules):
    node = shutil.which("node")
    package = modules / "node_modules/ws/package.json"
    if node is None or not package.exists():
        raise Missing("no node" if node is None else f"npm has not installed ws into {modules}")
    runtime = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return f"ws {json.loads(package.read_text())['version']}, Node {runtime.strip().lstrip('v')}"


def echo_version(binary):
    if not binary.exists():
        raise Missing(f"{binary} is not built")
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def script(name, *more):
    return lambda port: [PYTHON, HERE / name, str(port), *more]


def gunicorn(port):
    return [PYTHON, "-m", "gunicorn", "--chdir", HERE, "--bind", f"127.0.0.1:{port}", "--backlog", "4096",
            "--workers", str(WORKERS), "--worker-class", "aiohttp.GunicornUVLoopWebWorker",
            "aiohttp_server:app"]


def catalogue(binaries, modules):
    """name -> function that gives the Peer or raises Missing. In the order of the table."""
    echo = binaries / "holdfast-seed-echo"

    def holdfast(name, workers):
        return lambda: Peer(name, lambda port: [echo, "--port", str(port), "--workers", str(workers)],
                            echo_version(echo), workers, plays_all=workers == 1)

    def python(name, file, *modules_used, more=()):
        return lambda: Peer(name, script(file, *more), python_version(*modules_used))

    entries = {
        "holdfast": holdfast("holdfast", 1),
        "holdfast, 2 workers": holdfast("holdfast, 2 workers", WORKERS),
        "ws": lambda: Peer("ws", lambda port: ["node", HERE / "ws_server.mjs", modules, str(port)],
                           node_version(modules)),
        "aiohttp": python("aiohttp", "aiohttp_server.py", "aiohttp"),
        "aiohttp+uvloop": python("aiohttp+uvloop", "aiohttp_server.py", "aiohttp", "uvloop",
                                 more=["--uvloop"]),
        "aiohttp+uvloop+gunicorn, 2 workers": lambda: Peer(
            "aiohttp+uvloop+gunicorn, 2 workers", gunicorn,
            python_version("aiohttp", "uvloop", "gunicorn"), WORKERS),
        "websockets": python("websockets", "websockets_server.py", "websockets"),
        "websockets+uvloop": python("websockets+uvloop", "websockets_server.py", "websockets", "uvloop",
                                    more=["--uvloop"]),
        "autobahn+uvloop": python("autobahn+uvloop", "autobahn_server.py", "autobahn", "uvloop",
                                  more=["--uvloop"]),
    }
    return entries


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


class Server:
    """A peer that runs. `pin`: the core that it is held to, or None."""

    def __init__(self, peer, pin, log):
        self.peer, self.port = peer, free_port()
        held = ["taskset", "-c", str(pin)] if pin is not None else []
        with open(log, "wb") as out:
            self.process = subprocess.Popen([*held, *peer.argv(self.port)], stdout=out, stderr=out,
                                            start_new_session=True)
        try:
            self.wait_until_it_serves(log)
        except BaseException:
            self.stop()
            raise

    def wait_until_it_serves(self, log):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
                continue
            if self.peer.workers == 1 or len(children(self.process.pid)) == self.peer.workers:
                time.sleep(1)  # all of it, not only who listens
                return
            time.sleep(0.05)
        with open(log, encoding="utf-8", errors="replace") as file:
            raise Missing(f"{self.peer.name} did not start: {file.read().strip()[-300:]}")

    def pids(self):
        return [self.process.pid, *children(self.process.pid)]

    def stop(self):
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)  # the session that was made for it
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
