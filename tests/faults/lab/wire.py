"""Wire: a path of packets between backend and agents that can be cut one way.

The laboratory runs in a network namespace of its own then (run.py starts itself anew in one), the
agents in a second one; both end with their last process.
"""
import subprocess

from . import kernel
from .stack import procs, wait_for

HOST, AGENT = "10.77.0.1", "10.77.0.2"


class Wire:
    """A veth pair from here (already a namespace of our own) to a second namespace, the agents'."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"],
                                       preexec_fn=procs.end_with_parent)
        wait_for(lambda: self._other() != self._own(), 5, "no namespace")
        self.enter = ["nsenter", "-t", str(self.holder.pid), "-n"]
        ip = lambda *words: kernel.run("ip", *words)
        there = lambda *words: kernel.run(*self.enter, "ip", *words)
        ip("link", "add", "hf0", "type", "veth", "peer", "name", "hf1", "netns", self.holder.pid)
        ip("addr", "add", f"{HOST}/30", "dev", "hf0")
        ip("link", "set", "hf0", "up")
        there("addr", "add", f"{AGENT}/30", "dev", "hf1")
        there("link", "set", "hf1", "up")
        there("link", "set", "lo", "up")

    def _other(self):
        return subprocess.run(["readlink", f"/proc/{self.holder.pid}/ns/net"], capture_output=True,
                              check=False).stdout

    @staticmethod
    def _own():
        return subprocess.run(["readlink", "/proc/self/ns/net"], capture_output=True,
                              check=False).stdout

    def cut(self, way):
        """Packets that way vanish: "down" is to the agents, "up" to the backend."""
        where, what = ([], AGENT) if way == "down" else (self.enter, HOST)
        kernel.run(*where, "ip", "route", "add", "blackhole", f"{what}/32")
        # The /30 of the interface is not asked any more: the /32 is narrower.

    def heal(self):
        kernel.run("ip", "route", "del", "blackhole", f"{AGENT}/32", ok=(0, 2))
        kernel.run(*self.enter, "ip", "route", "del", "blackhole", f"{HOST}/32", ok=(0, 2))

    def end(self):
        self.holder.kill()
        self.holder.wait()
