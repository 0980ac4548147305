"""Releases of the agent for tests: the same program with another version written into it, and programs that do not hold."""
import os
import pathlib
import platform
import shutil
import subprocess
import threading
import time

from .stack import Agent, agent_program

# Of another machine's agent, which runs emulated (tests/packages/emulated.py), the environment says it.
FOREIGN = os.environ.get("HOLDFAST_AGENT_ARCH")
ARCH = FOREIGN or {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf"}[platform.machine()]
OWN = b"0.1.0"


def versioned(path, version, program=None):
    """A copy of the agent that says it is `version`, which has as many letters as its own."""
    assert len(version) == len(OWN)
    if FOREIGN:
        shutil.copyfile(program or agent_program(), path)  # as it ships: stripped
    else:
        subprocess.run(["strip", "-o", path, program or agent_program()], check=True)
    data = path.read_bytes()
    for end in (b"\0", b"+", b"\n"):
        data = data.replace(OWN + end, version.encode() + end)
    path.write_bytes(data)
    path.chmod(0o755)
    said = subprocess.run([path, "version"], capture_output=True, check=True, timeout=20).stdout
    assert said == f"holdfast-agent {version}\n".encode(), said
    return path


def script(path, version, run):
    """A program that says its version, and whose `run` is these lines of shell."""
    path.write_text(f"#!/bin/sh\ncase $1 in version) echo 'holdfast-agent {version}'; exit 0;; esac\n{run}\n")
    path.chmod(0o755)
    return path


class Shop:
    """Keys, an update root and releases of one stack's fleet."""

    def __init__(self, stack, keys=1, threshold=1):
        self.stack, self.dir = stack, stack.dir / "shop"
        self.dir.mkdir()
        self.keys = [self.dir / f"update-{n}.key" for n in range(1, keys + 1)]
        for key in self.keys:
            stack.run("holdfast", "update", "key", key)
        self.root(self.keys, threshold)

    def root(self, keys, threshold=1):
        words = [word for key in keys for word in ("--update-key", f"{key}.pub")]
        return self.stack.holdfast("update", "root", *words, "--threshold", threshold, output=None)

    def release(self, version, program, sign_with=None, arch=ARCH, more=(), name=None):
        """The release's directory."""
        out = self.dir / (name or f"release-{version}")
        keys = [word for key in sign_with or self.keys for word in ("--sign-with", key)]
        self.stack.run("holdfast", "update", "release", out, "--version", version,
                       "--program", f"{arch}={program}", *keys, *more)
        return out

    def good(self, version):
        return self.release(version, versioned(self.dir / f"agent-{version}", version))


class KeptAgent(Agent):
    """An agent with a service manager: started again when it ends, unless it was told to."""

    def __init__(self, stack, name):
        super().__init__(stack, name)
        self.keeper, self.stopping, self.starts = None, False, 0

    def begin(self):
        super().start()
        self.starts += 1

    def start(self):
        self.begin()
        if self.keeper is None:
            self.keeper = threading.Thread(target=self.keep, daemon=True)
            self.keeper.start()
        return self

    def keep(self):
        while not self.stopping:
            process = self.process
            if process is not None and process.poll() is not None and not self.stopping:
                time.sleep(0.3)
                if not self.stopping and self.process is process:
                    self.begin()
            time.sleep(0.05)

    def stop(self, *how, **more):
        self.stopping = True
        if self.keeper:
            self.keeper.join()
        return super().stop(*how, **more)

    def program(self):
        """What the process runs now."""
        return pathlib.Path(f"/proc/{self.process.pid}/exe").resolve()


def add_kept(stack, name, start=True):
    agent = stack.agents[name] = KeptAgent(stack, name)
    agent.enrol(stack.bundle())
    if start:
        agent.start()
        stack.wait_online(agent)
    return agent


def version_of(stack, agent):
    return stack.agent_rows()[agent.id]["version"]
