#!/usr/bin/env python3
"""./dev demo: a fleet of one, on this machine, asked real questions; shown as an analyst sees it.

Every line after "$ " is a command that was really run, and what follows is its real output.
Ordering:  ends what it started, also on Ctrl-C; build/demo/ stays for a look.
"""
import argparse
import fcntl
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness.stack import BIN, ROOT, Agent, Stack  # noqa: E402

PLACE = ROOT / "build/demo"


def title(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)


class Demo:
    def __init__(self):
        self.stack = Stack(gateways=0, folder=PLACE)  # one gateway per core
        self.env = {**os.environ, "HOLDFAST_DIR": "build/demo/fleet",
                    "PATH": f"{BIN}:{os.environ['PATH']}"}

    def echo(self, line):
        print(f"$ {line}", flush=True)

    def run(self, line, cwd=ROOT):
        """Types one line into a shell, and fails the demo if it fails."""
        self.echo(line)
        status = subprocess.run(["sh", "-c", line], env=self.env, cwd=cwd,
                                stdin=subprocess.DEVNULL, check=False).returncode
        if status != 0:
            raise SystemExit(f"that ended with status {status}\n{self.stack.logs()}")

    def start(self):
        stack = self.stack
        title("A fleet: keys, certificates, a first operator")
        words = ["holdfast", *map(str, stack.init_argv())]
        self.run(" ".join(words).replace(f"{PLACE}/fleet", "build/demo/fleet"))
        title("The backend, and an agent on this machine")
        self.echo("holdfastd --dir build/demo/fleet 2>build/demo/holdfastd.log &")
        stack.start()
        self.run("holdfast enrol token --label site=demo > build/demo/bundle")
        self.run("holdfast-agent enrol --bundle build/demo/bundle --state build/demo/agent")
        agent = stack.agents["agent"] = Agent(stack, "agent")
        agent.state, agent.log = PLACE / "agent", PLACE / "agent.log"
        self.echo("holdfast-agent run --state build/demo/agent 2>build/demo/agent.log &")
        agent.start()
        self.run_until_online()

    def run_until_online(self):
        rows = list(self.stack.agent_rows().values())
        agent = self.stack.agents["agent"]
        agent.id = rows[0]["id"]
        self.stack.wait_online(agent)

    def ask(self):
        evidence = PLACE / "evidence"
        title("Who is there?")
        self.run("holdfast agents")
        title("What runs there? (SQL)")
        self.run("holdfast query all \"SELECT pid, name, uid, resident_size FROM processes "
                 "ORDER BY resident_size DESC LIMIT 8\"")
        title("Who listens on the network?")
        self.run("holdfast query all \"SELECT DISTINCT p.name, p.pid, l.address, l.port "
                 "FROM listening_ports l JOIN processes p USING (pid) WHERE l.port > 0 LIMIT 10\"")
        title("What lies in a directory?")
        self.run("holdfast ls all /etc/apt")
        title("Bring me a file, and show that it is the same one")
        self.run("holdfast get all /etc/passwd -d build/demo/evidence")
        self.run("sha256sum /etc/passwd $(find build/demo/evidence -type f)")
        self.compare(evidence)
        title("Run something there")
        self.run("holdfast exec all -- uname -a")
        title("Who did all that?")
        self.run("holdfast audit")

    @staticmethod
    def compare(evidence):
        copies = [p for p in evidence.rglob("*") if p.is_file()]
        if not copies or any(p.read_bytes() != pathlib.Path("/etc/passwd").read_bytes()
                             for p in copies):
            raise SystemExit(f"what came is not what is there: {copies}")
        print("the same bytes", flush=True)

    def stay(self):
        title("It stays up until Ctrl-C. In another terminal:")
        path = shlex.quote(str(BIN))
        print(f"  cd {shlex.quote(str(ROOT))}\n  export PATH={path}:$PATH "
              f"HOLDFAST_DIR=build/demo/fleet\n"
              "  holdfast query all 'SELECT * FROM users'\n"
              "  holdfast exec all -- sh -c 'echo hello; date'\n"
              "  holdfast --help\n"
              f"logs: build/demo/*.log    metrics: http://127.0.0.1:{self.stack.admin_port}/metrics",
              flush=True)
        signal.pause()


def main():
    parser = argparse.ArgumentParser(prog="./dev demo")
    parser.add_argument("--once", action="store_true", help="end after the last answer")
    once = parser.parse_args().once
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    with open(PLACE.parent / "demo.lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit("a demo of this tree runs already") from None
        shutil.rmtree(PLACE, ignore_errors=True)
        PLACE.mkdir()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        demo = Demo()
        try:
            demo.start()
            demo.ask()
            if not once:
                demo.stay()
        except KeyboardInterrupt:
            print("\nstopping", flush=True)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave things
            demo.stack.stop(keep=True)
    if once:
        print("\nall stopped, nothing left running", flush=True)


if __name__ == "__main__":
    main()
