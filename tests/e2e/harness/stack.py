"""Stack: one whole Holdfast in a directory of its own, from `holdfast init` to the last process.

    init -> start -> add_agent ... -> run commands, break things -> stop

Ordering:  stop() ends agents first, then holdfastd, then looks for what is left.
Limits:    every wait is bounded and names what it waited for.
Ownership: owns its directory and every process below holdfastd and its agents; touches no other.
Errors:    AssertionError, with the tails of all logs (logs()).
"""
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from . import procs
from .procs import wait_for
from .redis import Redis

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("HOLDFAST_BIN", ROOT / "build/dev/bin"))

# Another agent than the one beside the rest, if named: that of the release build, linked with less (agent/slim).
NAMED_AGENT = os.environ.get("HOLDFAST_AGENT")
if NAMED_AGENT and not pathlib.Path(NAMED_AGENT).exists():
    print(f"no {NAMED_AGENT}")
    sys.exit(77)
START_SECONDS = 30   # a debug build on a busy two-core machine
ANSWER_SECONDS = 60  # any one command line
# Who the tests are to the private Redis: its other users may do only what their process does.
REDIS_ADMIN = ("tests", "a-password-for-tests")


def agent_program():
    """Asked for at each start: a measurement sets BIN after this module was read."""
    return pathlib.Path(NAMED_AGENT) if NAMED_AGENT else BIN / "holdfast-agent"


def free_ports(count):
    """Ports that nobody listened on a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def set_key(text, section, key, value):
    """Sets one key of a TOML text, in the section named ("" = before any section)."""
    line = f"{key} = {json.dumps(value)}"
    head = r"\A" if not section else rf"(?m)^\[{section}\][ \t]*(?:#.*)?\n"
    found = re.search(head, text)
    if not found:
        return text.rstrip("\n") + f"\n\n[{section}]\n{line}\n"
    rest = text[found.end():]
    after = re.search(r"(?m)^\[", rest)
    body, tail = (rest[:after.start()], rest[after.start():]) if after else (rest, "")
    body, hits = re.subn(rf"(?m)^#?[ \t]*{key}[ \t]*=.*$", lambda _: line, body, count=1)
    return text[:found.end()] + (body if hits else line + "\n" + body) + tail


class Reply:
    """What one command line said."""

    def __init__(self, argv, status, out, err):
        self.argv, self.status, self.out, self.err = argv, status, out, err

    @property
    def text(self):
        return self.out.decode(errors="replace")

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as why:
            raise AssertionError(f"not JSON ({why}): {self}") from None

    def __str__(self):
        return (f"{' '.join(map(str, self.argv))}\n  status {self.status}\n"
                f"  stdout {self.out[:2000]!r}\n  stderr {self.err[:2000]}")


class Agent:
    """One agent: enrolled once, started and stopped as the test likes."""

    def __init__(self, stack, name):
        self.stack, self.name = stack, name
        self.state = stack.dir / f"agent-{name}"
        self.log = stack.dir / f"agent-{name}.log"
        self.options = []  # of holdfast-agent run
        self.process = None
        self.id = None

    def enrol(self, bundle, expect=0, more=()):
        done = subprocess.run(
            [agent_program(), "enrol", "--bundle", bundle, "--state", self.state, *more],
            env=self.stack.env(), capture_output=True, timeout=ANSWER_SECONDS, check=False)
        reply = Reply(["holdfast-agent", "enrol"], done.returncode, done.stdout,
                      done.stderr.decode(errors="replace"))
        assert done.returncode == expect or expect is None, reply
        if done.returncode == 0:
            self.id = re.findall(r"\b[0-9a-f]{32}\b", reply.text)[-1]
        return reply

    def start(self):
        assert not self.running(), f"agent {self.name} runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [agent_program(), "run", "--state", self.state, *self.options],
                env=self.stack.env(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True, preexec_fn=procs.end_with_parent)
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def warden(self):
        return procs.Process(self.process.pid)

    def children(self, role):
        """Processes of one role ("link", "worker") below this agent's warden."""
        return [p for p in procs.descendants(self.process.pid)
                if len(p.argv) > 1 and role in p.argv[1:3]]

    def stop(self, sig=signal.SIGTERM, seconds=15):
        if self.process is None:
            return None
        below = procs.descendants(self.process.pid) if self.running() else []
        if self.running():
            self.process.send_signal(sig)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"agent {self.name} did not stop within {seconds} s") from None
        finally:
            self.stack.remember(below)
        self.process = None
        return status

    def kill(self):
        """kill -9 of warden alone: link and workers must end by themselves."""
        self.stop(signal.SIGKILL)


class Stack:
    descriptors = None  # how many holdfastd may have; None: as many as we may
    redis_users = ""    # more lines for the file of redis.users

    def __init__(self, gateways=1, keys=(), folder=None):
        """keys: more settings for holdfastd.toml, as (section, key, value)."""
        self.dir = pathlib.Path(folder or tempfile.mkdtemp(prefix="holdfast-e2e-"))
        self.fleet = self.dir / "fleet"
        self.home = self.dir / "home"
        self.home.mkdir()
        self.agents = {}
        self.backend = None
        self.log = self.dir / "holdfastd.log"
        self._started = []  # every process ever seen below ours
        self.agent_port, self.api_port, self.admin_port = free_ports(3)
        self.gateways = gateways
        self.keys = keys
        self.backend_env = {}  # more environment for holdfastd
        self.host = "127.0.0.1"    # where it is reached
        self.backend_prefix = ()   # words before its program: nsenter, ...

    # --- set up ----------------------------------------------------------------------------------
    def env(self, **more):
        keep = {k: os.environ[k] for k in ("PATH", "LANG", "ASAN_OPTIONS") if k in os.environ}
        return {**keep, "HOME": str(self.home), "HOLDFAST_E2E": str(self.dir), **more}

    def init(self, *options):
        self.run("holdfast", *self.init_argv(), *options)
        config = self.fleet / "server/holdfastd.toml"
        text = config.read_text()
        users = config.with_name("redis.users")
        users.write_text(f"admin {' '.join(REDIS_ADMIN)}\n{self.redis_users}")
        users.chmod(0o600)
        for section, key, value in (("gateways", "count", self.gateways), ("redis", "users", users.name),
                                    *self.keys):
            text = set_key(text, section, key, value)
        config.write_text(text)
        return self

    def init_argv(self, scheme="wss"):
        return ["init", "--dir", self.fleet, "--server", f"{scheme}://{self.host}:{self.agent_port}",
                "--api", f"{scheme}://{self.host}:{self.api_port}",
                "--admin", f"{self.host}:{self.admin_port}"]

    def start(self):
        with open(self.log, "ab") as log:
            self.backend = subprocess.Popen(
                [*self.backend_prefix, BIN / "holdfastd", "--dir", self.fleet], env=self.env(**self.backend_env), stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                preexec_fn=self.before_exec)
        self.wait_ready()
        return self

    def before_exec(self):
        procs.end_with_parent()
        if self.descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))

    def wait_ready(self):
        def ready():
            if self.backend.poll() is not None:
                raise AssertionError(f"holdfastd ended with {self.backend.returncode}\n{self.logs()}")
            try:
                with urllib.request.urlopen(self.admin_url("/healthz"), timeout=2) as answer:
                    return answer.status == 200
            except OSError:
                return False
        wait_for(ready, START_SECONDS, lambda: f"/healthz did not answer 200\n{self.logs()}")

    def bundle(self, *options):
        """A file with a new enrolment bundle."""
        path = self.dir / f"bundle-{time.monotonic_ns()}"
        path.write_bytes(self.holdfast("enrol", "token", *options, output=None).out)
        return path

    def add_agent(self, name, labels=(), start=True):
        agent = self.agents[name] = Agent(self, name)
        options = [word for label in labels for word in ("--label", label)]
        agent.enrol(self.bundle(*options))
        if start:
            agent.start()
            self.wait_online(agent)
        return agent

    # --- use -------------------------------------------------------------------------------------
    def run(self, program, *argv, expect=0, timeout=ANSWER_SECONDS, cwd=None):
        done = subprocess.run([str(BIN / program), *map(str, argv)], env=self.env(), cwd=cwd,
                              capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL,
                              check=False)
        reply = Reply([program, *argv], done.returncode, done.stdout,
                      done.stderr.decode(errors="replace"))
        if expect is not None and done.returncode != expect:
            raise AssertionError(f"expected status {expect}: {reply}\n{self.logs()}")
        return reply

    def holdfast(self, *argv, output="json", **how):
        shown = ("-o", output) if output else ()
        return self.run("holdfast", "--dir", self.fleet, *shown, *argv, **how)

    def holdfast_begin(self, *argv, output="json"):
        """Starts a command line and does not wait: the caller reads and reaps it."""
        shown = ("-o", output) if output else ()
        return subprocess.Popen(
            [str(BIN / "holdfast"), "--dir", str(self.fleet), *shown, *map(str, argv)],
            env=self.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL)

    def agent_rows(self):
        return {row["id"]: row for row in self.holdfast("agents").json()}

    def wait_online(self, *agents, online=True, seconds=START_SECONDS):
        def all_are():
            rows = self.agent_rows()
            return all(a.id in rows and rows[a.id]["online"] == online for a in agents)
        wait_for(all_are, seconds, lambda: f"agents not {'on' if online else 'off'}line\n{self.logs()}",
                 every=0.2)

    def admin_url(self, path):
        return f"http://{self.host}:{self.admin_port}{path}"

    def metrics(self):
        """{name or name{labels}: value}, and the sum over labels under the bare name."""
        with urllib.request.urlopen(self.admin_url("/metrics"), timeout=5) as answer:
            text = answer.read().decode()
        values = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
                bare = name.split("{")[0]
                if bare != name:
                    values[bare] = values.get(bare, 0) + float(value)
        return values

    # --- look inside, break ----------------------------------------------------------------------
    def processes(self, role):
        """Of holdfastd: "gateway", "control" or "redis"; gateways may be of one before it."""
        def is_it(p):
            if role == "redis":
                return "redis-server" in p.argv[0]
            return any(w == "--role" and v == role for w, v in zip(p.argv, p.argv[1:]))
        return [p for p in self.backend_processes() if p.argv and is_it(p)]

    def backend_processes(self, everyone=None):
        """Those that holdfastd has started, and those that it has adopted: a gateway outlives the supervisor that started it."""
        everyone = everyone if everyone is not None else procs.all_processes()
        below = procs.descendants(self.backend.pid, everyone) if self.backend else []
        config = str(self.fleet / "server/holdfastd.toml")
        return below + [p for p in everyone if "--role" in p.argv and config in p.argv
                        and p.pid not in {q.pid for q in below} and p.alive()]

    def redis(self, user=REDIS_ADMIN):
        """A client of the private Redis; `user`: name and password, or None to say nothing."""
        client = Redis(self.fleet / "server/state/run/redis.sock")
        if user:
            client.call("AUTH", *user)
        return client

    # --- tear down -------------------------------------------------------------------------------
    def remember(self, processes):
        self._started += processes

    def stop_backend(self, sig=signal.SIGTERM, seconds=30):
        if self.backend is None:
            return None
        running = self.backend.poll() is None
        if running:
            self.remember(self.backend_processes())
            self.backend.send_signal(sig)
        try:
            status = self.backend.wait(seconds)
        except subprocess.TimeoutExpired:
            self.backend.kill()
            self.backend.wait()
            raise AssertionError(f"holdfastd did not stop within {seconds} s\n{self.logs()}") from None
        self.backend = None
        return status

    def left_over(self):
        """What still runs of all that was ever seen, or carries this stack's mark."""
        mark = f"HOLDFAST_E2E={self.dir}".encode()
        found = {p.pid: p for p in self._started if p.alive()}
        for p in procs.all_processes():
            try:
                environ = pathlib.Path(f"/proc/{p.pid}/environ").read_bytes()
            except OSError:
                continue
            if mark in environ.split(b"\0") and p.alive():
                found[p.pid] = p
        return list(found.values())

    def stop(self, keep=False):
        errors = []
        for stop in [*(a.stop for a in self.agents.values()), self.stop_backend]:
            try:
                stop()
            except AssertionError as why:
                errors.append(str(why))
        left = []
        try:
            wait_for(lambda: not self.left_over(), 10, "")
        except AssertionError:
            left = self.left_over()
            for p in left:
                p.kill()
        logs = self.logs() if errors or left else ""
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)
        assert not errors, "\n".join(errors)
        assert not left, f"still running after the end: {left}\n{logs}"

    def logs(self, lines=40):
        out = []
        for path in sorted(self.dir.glob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            out.append(f"--- {path.name}, last {len(tail)} lines\n" + "\n".join(tail))
        return "\n".join(out)
