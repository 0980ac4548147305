#!/usr/bin/env python3
"""The isolation of an endpoint: an agent in a network namespace of its own, whose other way out is closed.

    here: namespace of this test          veth           namespace of the agents
    holdfastd, 10.77.0.1, 10.78.0.1, fd77::1  <------->  10.77.0.2, 10.78.0.2, fd77::2

Needs root; a test that cannot run is not passed.
"""
import ctypes
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import unittest

from lab import kernel
from lab.stack import BIN, LabStack, procs, wait_for
from lab.wire import AGENT, HOST, Wire

SIDE_HOST, SIDE_AGENT = "10.78.0.1", "10.78.0.2"
HOST6, AGENT6 = "fd77::1", "fd77::2"
LINK_USER = next((int(line.split(":")[2]) for line in open("/etc/passwd", encoding="utf-8")
                  if line.startswith("holdfast-link:")), 65534)
TABLE = "holdfast_isolation"
HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 0.7  # for a packet that never comes

# A server that says back what it hears, over TCP and UDP, on one port of both families.
ECHO = """
import socket, sys, threading
def serve(s):
    while True:
        c, _ = s.accept()
        threading.Thread(target=talk, args=(c,), daemon=True).start()
def talk(c):
    while data := c.recv(4096): c.sendall(data)
def udp(s):
    while True:
        data, who = s.recvfrom(4096); s.sendto(data, who)
port = int(sys.argv[1])
s = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
u.bind(("::", port))
threading.Thread(target=udp, args=(u,), daemon=True).start()
print("ready", flush=True)
serve(s)
"""
# Whether an echo comes back: prints yes or no. argv: tcp|udp HOST PORT [UID]
ASK = """
import encodings.idna, os, socket, sys  # while its files can be read
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if len(sys.argv) > 4: os.setuid(int(sys.argv[4]))
family = socket.AF_INET6 if ":" in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind != "udp" else socket.SOCK_DGRAM)
s.settimeout(%r)
try:
    s.connect((host, port))
    if kind != "knock":
        s.send(b"x"); assert s.recv(1) == b"x"
    print("yes")
except OSError:
    print("no")
""" % PATIENCE
# One connection that stays: a line for every echo, on demand.
TALK = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5); s.settimeout(%r)
print("ready", flush=True)
for line in sys.stdin:
    try:
        s.send(b"x"); s.recv(1); print("yes", flush=True)
    except OSError:
        print("no", flush=True)
""" % PATIENCE

CRC32C = 0x82F63B78


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CRC32C if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class SockFilter(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class SockProgram(ctypes.Structure):
    _fields_ = [("len", ctypes.c_uint16), ("filter", ctypes.POINTER(SockFilter))]


# A kernel without netfilter, as the agent sees one: socket(AF_NETLINK, *, NETLINK_NETFILTER) is EPROTONOSUPPORT.
WITHOUT_NETFILTER = f"""
import ctypes, os, platform, sys
sys.path.insert(0, {str(HERE)!r})
from isolation_test import deny_netfilter
deny_netfilter()
os.execv(sys.argv[1], sys.argv[1:])
"""


def deny_netfilter():
    load, equal, ret = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    sys_socket = {"x86_64": 41, "aarch64": 198}[__import__("platform").machine()]
    code = (SockFilter * 8)(
        (load, 0, 0, 0), (equal, 0, 5, sys_socket),        # seccomp_data.nr
        (load, 0, 0, 16), (equal, 0, 3, 16),               # args[0] == AF_NETLINK
        (load, 0, 0, 32), (equal, 0, 1, 12),               # args[2] == NETLINK_NETFILTER
        (ret, 0, 0, 0x00050000 | 93), (ret, 0, 0, 0x7FFF0000))  # EPROTONOSUPPORT; ALLOW
    program = SockProgram(len(code), code)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


class TwoNamespaces(unittest.TestCase):
    """A fleet here, and a second namespace for its agents; what both tests below ask."""

    @classmethod
    def prepare(cls):
        """Before `holdfast init`."""

    @classmethod
    def setUpClass(cls):
        kernel.need_root("a network namespace")
        kernel.unshare(kernel.CLONE_NEWNET)
        kernel.run("ip", "link", "set", "lo", "up")
        cls.helpers = []
        cls.addClassCleanup(cls.end_helpers)
        cls.wire = Wire()
        cls.addClassCleanup(cls.wire.end)
        for where, side, six, face in (([], SIDE_HOST, HOST6, "hf0"), (cls.wire.enter, SIDE_AGENT, AGENT6, "hf1")):
            kernel.run(*where, "ip", "addr", "add", f"{side}/24", "dev", face)
            kernel.run(*where, "ip", "addr", "add", f"{six}/64", "dev", face, "nodad")
        cls.stack = LabStack(gateways=1)
        cls.addClassCleanup(cls.stack.stop)
        cls.stack.server_host, cls.stack.prefix = HOST, cls.wire.enter
        cls.prepare()
        cls.stack.init().start()
        cls.here_port, cls.there_port = 7001, 7002
        cls.start_helper([], ECHO, cls.here_port)
        cls.start_helper(cls.wire.enter, ECHO, cls.there_port)

    @classmethod
    def start_helper(cls, where, code, *argv):
        helper = subprocess.Popen([*where, sys.executable, "-c", code, *map(str, argv)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, bufsize=1, preexec_fn=procs.end_with_parent)
        cls.helpers.append(helper)
        assert helper.stdout.readline() == "ready\n"
        return helper

    @classmethod
    def end_helpers(cls):
        for helper in cls.helpers:
            helper.kill()
            helper.communicate()

    def setUp(self):
        self.agent = None

    def tearDown(self):
        if self.agent is not None:
            self.agent.stop()
        kernel.run(*self.wire.enter, "nft", "flush", "ruleset")
        if self.stack.backend is None:
            self.stack.start()

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(f"logs after {self.id()}:\n{self.stack.logs()}", file=sys.stderr)

    # --- what is asked and seen ------------------------------------------------------------------
    def start_agent(self, name, **how):
        self.agent = self.stack.make_agent(name, **how).start()
        self.stack.wait_online(self.agent)
        return self.agent

    def ask(self, verb, *argv, status=0):
        answers = self.stack.holdfast(verb, self.agent.id, *argv, expect=status, timeout=120).json()
        self.assertEqual(len(answers), 1, answers)
        return answers[0]

    def isolate(self, *argv, status=0):
        return self.ask("isolate", "--yes", "--for", "4h", *argv, status=status)

    def reaches(self, where, kind, host, port, *user):
        done = subprocess.run([*where, sys.executable, "-c", ASK, kind, host, str(port), *map(str, user)],
                              capture_output=True, text=True, timeout=30, check=True)
        return done.stdout == "yes\n"

    def gets_out(self, host=HOST, port=None, kind="tcp"):
        return self.reaches(self.wire.enter, kind, host, port or self.here_port)

    def gets_in(self, host=AGENT, kind="tcp"):
        return self.reaches([], kind, host, self.there_port)

    def talks(self, talker):
        talker.stdin.write("\n")
        return talker.stdout.readline() == "yes\n"

    def rules(self):
        done = subprocess.run([*self.wire.enter, "nft", "list", "table", "inet", TABLE], capture_output=True,
                              text=True, timeout=30, check=False)
        return done.stdout if done.returncode == 0 else None

    def status(self):
        return self.stack.run("holdfast-agent", "status", "--state", self.agent.state, "-o", "json").json()

    def command_works(self, words="still here"):
        return self.ask("exec", "--", "echo", words)["stdout"] == words + "\n"

    def logged(self, event):
        return len(re.findall(rf"event={event}\b", self.agent.log.read_text(errors="replace")))

    def rewrite_record(self, left_ms):
        """As if so much were left; of a stopped agent."""
        path = self.agent.state / "isolation"
        text, _ = path.read_text().rsplit("crc ", 1)
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        text = re.sub(r"(?m)^now .*$", f"now {now}", re.sub(r"(?m)^left .*$", f"left {left_ms}", text))
        path.write_text(f"{text}crc {crc32c(text.encode()):08x}\n")


class IsolationTest(TwoNamespaces):
    # --- what passes -----------------------------------------------------------------------------
    def test_nothing_but_the_link_passes_either_way_and_a_release_ends_it(self):
        self.start_agent("only")
        outward = self.start_helper(self.wire.enter, TALK, HOST, self.here_port)
        inward = self.start_helper([], TALK, AGENT, self.there_port)
        ways = [(kind, host) for kind in ("tcp", "udp") for host in (HOST, SIDE_HOST, HOST6)]
        back = {HOST: AGENT, SIDE_HOST: SIDE_AGENT, HOST6: AGENT6}
        self.assertTrue(self.talks(outward) and self.talks(inward))
        for kind, host in ways:
            self.assertTrue(self.gets_out(host, kind=kind), (kind, host))
            self.assertTrue(self.gets_in(back[host], kind), (kind, host))
        links = self.logged("link_open")
        answer = self.isolate()
        self.assertEqual(answer["outcome"], "DONE")
        self.assertRegex(answer["message"], r"^isolated until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$")
        self.assertFalse(self.talks(outward), "an established connection lives on")
        self.assertFalse(self.talks(inward), "an established connection lives on")
        for kind, host in ways:
            self.assertFalse(self.gets_out(host, kind=kind), (kind, host))
            self.assertFalse(self.gets_in(back[host], kind), (kind, host))
        # The server's own port is the link process's alone.
        self.assertFalse(self.gets_out(HOST, self.stack.agent_port, "knock"))
        self.assertTrue(self.reaches(self.wire.enter, "knock", HOST, self.stack.agent_port, LINK_USER))
        self.assertTrue(self.reaches(self.wire.enter, "tcp", "127.0.0.1", self.there_port), "loopback")
        self.assertTrue(self.command_works())
        size = 3_000_000
        data = self.stack.holdfast("exec", self.agent.id, "--", "head", "-c", str(size), "/dev/zero", output=None)
        self.assertEqual(len(data.out), size)
        self.assertEqual(self.logged("link_open"), links, "the link was cut")
        until = self.status()["isolated_until_ms"] / 1000
        self.assertAlmostEqual(until, time.time() + 4 * 3600, delta=60)
        self.assertIn("isolated   since 20", self.stack.run("holdfast-agent", "status", "--state",
                                                            self.agent.state).text)
        answer = self.ask("release")
        self.assertRegex(answer["message"], r"^released; it was isolated until ")
        self.assertIsNone(self.rules())
        self.assertIsNone(self.status()["isolated_until_ms"])
        self.assertTrue(self.gets_out() and self.gets_in())
        self.assertEqual(self.ask("release")["message"], "it was not isolated")

    def test_what_is_allowed_passes_and_other_tables_cannot_let_more_pass(self):
        self.start_agent("allowed")
        kernel.run(*self.wire.enter, "nft", "-f", "-", given="""table inet generous {
            chain i { type filter hook input priority -600; policy accept; accept; }
            chain o { type filter hook output priority 300; policy accept; accept; }
}""")
        self.isolate("--allow", f"{SIDE_HOST}:{self.here_port}")
        for kind in ("tcp", "udp"):
            self.assertTrue(self.gets_out(SIDE_HOST, kind=kind))
            self.assertFalse(self.gets_out(HOST, kind=kind))
            self.assertFalse(self.gets_out(HOST6, kind=kind))
            self.assertFalse(self.gets_in(SIDE_AGENT, kind))
        first = self.status()["isolated_until_ms"]
        answer = self.ask("isolate", "--yes", "--for", "1h", "--allow", "10.78.0.0/16", "--allow", "fd77::/16")
        self.assertRegex(answer["message"], r"^isolated until .* UTC, no more until .* UTC$")
        self.assertLess(self.status()["isolated_until_ms"], first - 2 * 3600 * 1000)
        self.assertTrue(self.gets_out(SIDE_HOST) and self.gets_in(SIDE_AGENT))
        self.assertTrue(self.gets_out(HOST6) and self.gets_in(AGENT6))
        self.assertFalse(self.gets_out(HOST) or self.gets_in(AGENT))

    def test_nothing_is_forwarded(self):
        self.start_agent("router")
        kernel.run(*self.wire.enter, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        behind = subprocess.Popen(["unshare", "-n", "sleep", "infinity"], preexec_fn=procs.end_with_parent)
        self.addCleanup(behind.wait)
        self.addCleanup(behind.kill)
        enter = ["nsenter", "-t", str(behind.pid), "-n"]
        own = lambda: subprocess.run(["readlink", f"/proc/{behind.pid}/ns/net"], capture_output=True, check=False).stdout
        here = subprocess.run(["readlink", "/proc/self/ns/net"], capture_output=True, check=True).stdout
        wait_for(lambda: own() not in (here, b""), 5, "no namespace")
        there = lambda *words: kernel.run(*self.wire.enter, "ip", *words)
        there("link", "add", "box0", "type", "veth", "peer", "name", "box1", "netns", behind.pid)
        there("addr", "add", "10.79.0.1/24", "dev", "box0")
        there("link", "set", "box0", "up")
        for words in (("addr", "add", "10.79.0.2/24", "dev", "box1"), ("link", "set", "box1", "up"),
                      ("route", "add", "default", "via", "10.79.0.1")):
            kernel.run(*enter, "ip", *words)
        kernel.run("ip", "route", "add", "10.79.0.0/24", "via", AGENT)
        self.addCleanup(kernel.run, "ip", "route", "del", "10.79.0.0/24")
        self.assertTrue(self.reaches(enter, "tcp", HOST, self.here_port))
        self.isolate()
        self.assertFalse(self.reaches(enter, "tcp", HOST, self.here_port))

    # --- how it ends -----------------------------------------------------------------------------
    def test_it_ends_by_itself_when_the_backend_is_gone(self):
        self.start_agent("expiring")
        self.isolate()
        self.stack.kill_backend()
        self.agent.stop()
        self.assertIsNotNone(self.rules(), "an agent that stops releases nothing")
        self.rewrite_record(6000)
        self.agent.start()
        time.sleep(3)
        self.assertFalse(self.gets_out() or self.gets_in())
        wait_for(lambda: self.rules() is None, 15, "not released")
        self.assertTrue(self.gets_out() and self.gets_in())
        self.assertFalse((self.agent.state / "isolation").exists())
        self.stack.start()
        self.stack.wait_online(self.agent)
        self.assertTrue(self.command_works())

    def test_the_kernel_ends_it_when_the_agent_is_gone(self):
        self.start_agent("dead")
        self.isolate()
        self.agent.stop()
        self.rewrite_record(8000)  # and the 15 s that the kernel gives the agent
        self.agent.start()
        wait_for(lambda: self.logged("isolation_goes_on"), 10, "not closed again")
        self.agent.kill()
        began = time.monotonic()
        self.assertFalse(self.gets_out() or self.gets_in())
        # The time that it had when the agent wrote it last, and what the kernel gives an agent to come back.
        wait_for(lambda: self.gets_out() and self.gets_in(), 60, "the kernel does not release it", every=0.5)
        self.assertGreater(time.monotonic() - began, 5)

    def test_a_reboot_does_not_end_it(self):
        self.start_agent("rebooted")
        self.isolate()
        before = self.status()["isolated_until_ms"]
        self.agent.kill()
        kernel.run(*self.wire.enter, "nft", "flush", "ruleset")
        self.assertTrue(self.gets_out())
        record = self.agent.state / "isolation"
        text, _ = record.read_text().rsplit("crc ", 1)
        text = re.sub(r"(?m)^boot .*$", "boot 00000000-0000-0000-0000-000000000000", text)
        record.write_text(f"{text}crc {crc32c(text.encode()):08x}\n")
        self.agent.start()
        self.stack.wait_online(self.agent)
        self.assertFalse(self.gets_out() or self.gets_in())
        self.assertTrue(self.command_works())
        self.assertAlmostEqual(self.status()["isolated_until_ms"], before, delta=5000)
        log = self.agent.log.read_text()
        restart = log.rindex("event=agent_started")
        self.assertLess(log.index("event=isolation_goes_on", restart), log.index("event=link_open ", restart))

    def test_rules_that_somebody_flushes_come_back(self):
        self.start_agent("flushed")
        self.isolate()
        kernel.run(*self.wire.enter, "nft", "flush", "ruleset")
        wait_for(lambda: self.rules() is not None, 8, "not closed again")
        self.assertFalse(self.gets_out() or self.gets_in())
        self.assertEqual(self.logged("isolation_closed_again"), 1)
        kernel.run(*self.wire.enter, "nft", "add", "table", "inet", "another")
        wait_for(lambda: self.logged("isolation_closed_again") == 2, 8, "a change is not looked after")
        time.sleep(4)
        self.assertEqual(self.logged("isolation_closed_again"), 2, "it takes its own rules for others'")

    def test_somebody_at_the_machine_can_release_it(self):
        self.start_agent("local")
        self.isolate()
        release = lambda: self.stack.run("holdfast-agent", "release", "--state", self.agent.state).text
        self.assertIn("by its agent", release())
        self.assertIsNone(self.rules())
        self.assertTrue(self.gets_out())
        self.assertIn("why=released_at_the_machine", self.agent.log.read_text())
        self.assertIn("not isolated", release())
        self.isolate()
        self.agent.stop()
        done = subprocess.run([*self.wire.enter, BIN / "holdfast-agent", "release", "--state", self.agent.state],
                              env=self.stack.env(), capture_output=True, text=True, timeout=30, check=True)
        self.assertIn("its agent does not run", done.stdout)
        self.assertIsNone(self.rules())
        self.agent.start()
        self.stack.wait_online(self.agent)
        self.assertTrue(self.gets_out())

    def test_an_agent_that_is_unenrolled_leaves_nothing_closed(self):
        self.start_agent("leaving")
        self.isolate()
        self.agent.stop()
        subprocess.run([*self.wire.enter, BIN / "holdfast-agent", "unenrol", "--state", self.agent.state],
                       env=self.stack.env(), capture_output=True, timeout=30, check=True)
        self.assertIsNone(self.rules())
        self.assertEqual(list(self.agent.state.iterdir()), [])
        self.agent = None

    # --- what cannot be --------------------------------------------------------------------------
    def test_it_rolls_back_when_the_rules_cut_the_link(self):
        """The link goes over a proxy on the machine, and the proxy's own way out is not the link's."""
        self.agent = self.stack.make_agent("tunnelled")
        port = 7100
        proxy = f"""
import sys, time
sys.path.insert(0, {str(HERE.parent / "support")!r})
from connect_proxy import ConnectProxy
import socket
create = socket.create_server
socket.create_server = lambda address, **how: create(("127.0.0.1", {port}), **how)
with ConnectProxy():
    print("ready", flush=True)
    time.sleep(3600)
"""
        self.start_helper(self.wire.enter, proxy)
        kernel.run(*self.wire.enter, "nft", "-f", "-", given=f"""table ip direct {{
            chain o {{ type filter hook output priority 0;
            ip daddr {HOST} tcp dport {self.stack.agent_port} meta skuid {LINK_USER} reject with tcp reset; }}
}}""")
        (self.agent.state / "routes").write_text(f"proxy http://127.0.0.1:{port}\n")
        self.agent.start()
        self.stack.wait_online(self.agent)
        began = time.monotonic()
        answer = self.isolate(status=1)
        took = time.monotonic() - began
        self.assertEqual((answer["outcome"], answer["failure"]), ("FAILED", "ROLLED_BACK"))
        self.assertIn("did not prove itself within 30 s", answer["message"])
        self.assertGreater(took, 28)
        self.assertIsNone(self.rules())
        self.assertFalse((self.agent.state / "isolation").exists())
        self.assertTrue(self.gets_out() and self.gets_in())
        self.assertTrue(self.command_works())

    def test_a_kernel_without_netfilter_refuses_in_words(self):
        self.start_agent("bare", prefix=[sys.executable, "-c", WITHOUT_NETFILTER])
        answer = self.isolate(status=1)
        self.assertEqual((answer["outcome"], answer["failure"]), ("FAILED", "UNSUPPORTED"))
        self.assertIn("no nftables", answer["message"])
        self.assertFalse((self.agent.state / "isolation").exists())
        self.assertTrue(self.command_works())
        self.assertEqual(self.ask("release")["message"], "it was not isolated")

    def test_an_agent_without_the_right_refuses_in_words(self):
        self.start_agent("unfree", prefix=["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"])
        answer = self.isolate(status=1)
        self.assertEqual((answer["outcome"], answer["failure"]), ("FAILED", "PERMISSION"))
        self.assertIn("CAP_NET_ADMIN", answer["message"])
        self.assertTrue(self.gets_out())

    def test_an_agent_that_dies_on_trial_holds_or_rolls_back(self):
        self.start_agent("dying")
        for _ in range(5):
            ask = self.stack.holdfast_begin("isolate", self.agent.id, "--yes", "--for", "4h")
            wait_for(lambda: (self.agent.state / "isolation").exists(), 10, "no record", every=0.001)
            self.agent.kill()
            self.agent.start()
            out, err = ask.communicate(timeout=60)
            answer = json.loads(out)[0]
            self.assertEqual(answer["outcome"], "DONE", (answer, err))
            self.assertIsNotNone(self.rules())
            self.assertFalse(self.gets_out())
            self.ask("release")
            self.assertIsNone(self.rules())


# A name server that knows one name, and its address from a file. argv: HOST NAME FILE
DNS = """
import socket, sys
host, name, path = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((host, 53))
print("ready", flush=True)
want = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\\0"
while True:
    q, who = s.recvfrom(512)
    end = q.index(b"\\0", 12) + 5
    is_a = q[12:end - 4].lower() == want and q[end - 4:end - 2] == b"\\0\\1"
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4" + socket.inet_aton(open(path).read().strip()) if is_a else b""
    s.sendto(q[:2] + b"\\x81\\x80\\0\\1" + (b"\\0\\1" if is_a else b"\\0\\0") + b"\\0\\0\\0\\0" + q[12:end] + answer, who)
"""
NAME = "hq.holdfast.lab"


class NamedServerTest(TwoNamespaces):
    @classmethod
    def prepare(cls):
        cls.answer = cls.stack.dir / "address"
        cls.answer.write_text(HOST)
        resolver = cls.stack.dir / "resolv.conf"
        resolver.write_text(f"nameserver {HOST}\n")
        cls.stack.server_host = NAME
        cls.stack.prefix = [*cls.wire.enter, "unshare", "-m", "sh", "-c",
                            f"mount --bind {resolver} /etc/resolv.conf && exec \"$@\"", "sh"]
        cls.start_helper([], DNS, HOST, NAME, cls.answer)

    def asks_by_name(self, *user):
        code = ("import encodings.idna, os, socket, sys; len(sys.argv) > 1 and os.setuid(int(sys.argv[1]));"
                "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1);"
                f"q = b'ab' + bytes([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + bytes(1) + bytes([0, 1, 0, 1]);"
                f"s.connect(({HOST!r}, 53)); s.send(q); s.recv(512)")
        return subprocess.run([*self.wire.enter, sys.executable, "-c", code, *map(str, user)], capture_output=True,
                              timeout=30, check=False).returncode == 0

    def test_the_link_follows_its_servers_name_to_another_address_and_nobody_else_is_told(self):
        self.start_agent("named")
        self.assertTrue(self.asks_by_name())
        self.isolate()
        self.assertFalse(self.asks_by_name())
        self.assertTrue(self.asks_by_name(LINK_USER))
        self.assertFalse(self.reaches(self.wire.enter, "knock", SIDE_HOST, self.stack.agent_port, LINK_USER))
        self.answer.write_text(SIDE_HOST)
        opened = self.logged("link_open")
        kernel.run("nft", "-f", "-", given=f"""table ip moved {{ chain i {{ type filter hook input priority 0;
            ip daddr {HOST} tcp dport {self.stack.agent_port} reject with tcp reset; }}
}}""")
        self.addCleanup(kernel.run, "nft", "flush", "ruleset")
        self.ask("exec", "--", "true")  # which makes the link notice
        wait_for(lambda: self.logged("link_open") > opened, 60, "the link does not come back", every=0.5)
        self.assertTrue(self.command_works())
        self.assertFalse(self.gets_out(SIDE_HOST))
        self.assertTrue(self.reaches(self.wire.enter, "knock", SIDE_HOST, self.stack.agent_port, LINK_USER))
        # Started again, it finds its way by what it knows.
        self.agent.stop()
        self.agent.start()
        self.stack.wait_online(self.agent)
        self.assertFalse(self.gets_out(SIDE_HOST))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    unittest.main(verbosity=2)
