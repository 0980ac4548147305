"""Wire: a path of packets between backend and agents that can be cut one way, or lose its memory.

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
        self.generation, self.least = 0, {"up": 0, "down": 0}
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

    # --- a middle-box, on our end of the wire ----------------------------------------------------
    def _box(self, least):
        """Passes what belongs to a connection whose first packet it saw, and was not forgotten since. Every
        connection bears the generation in which it began; least[way]: older ones get through no more."""
        rules = "add table inet box\ndelete table inet box\ntable inet box {\n"
        for way, hook, face in (("up", "input", "iifname"), ("down", "output", "oifname")):
            rules += (f"chain {way} {{ type filter hook {hook} priority filter;\n{face} != hf0 accept\n"
                      f"tcp flags & (syn | ack) == syn ct mark set {self.generation} accept\n"
                      f"ct state invalid drop\n" + (f"ct mark < {least[way]} drop\n" if least[way] else "")
                      + "}\n")
        kernel.run("nft", "-f", "-", given=rules + "}\n")

    def forget(self, ways=("up", "down")):
        """The state of all connections there are is lost, for packets of these ways: nothing, also no RST."""
        if self.least["up"] == self.least["down"]:
            self.generation += 1
        for way in ways:
            self.least[way] = self.generation
        self._box(self.least)

    def forget_after(self, seconds, use):
        """From here on, what was quiet for so long is forgotten. `use`: makes every connection that is there
        say something, so that it is known."""
        kernel.sysctl("netfilter/nf_conntrack_tcp_timeout_established", seconds)
        self._box(self.least)
        use()
        kernel.sysctl("netfilter/nf_conntrack_tcp_loose", 0)  # what is not known begins with a SYN

    def end(self):
        self.holder.kill()
        self.holder.wait()
