#!/usr/bin/env python3
"""holdfast-agent doctor names the step that failed: each failure is made once, against the real program.

The servers are tests/support's, each wrong in one way; the last class meets the real gateway.
"""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import agent_bundle  # noqa: E402
import connect_proxy  # noqa: E402
import ws_server  # noqa: E402
from connect_proxy import ConnectProxy  # noqa: E402
from mini_gateway import MiniGateway  # noqa: E402
from harness.case import StackTest, main  # noqa: E402
from harness.procs import wait_for  # noqa: E402
from harness.stack import BIN, free_ports  # noqa: E402

WS_SERVER = pathlib.Path(ws_server.__file__)


def doctor(state, *more, expect, env=None, prefix=()):
    """The report of `holdfast-agent doctor -o json`, as {"ok":..., "steps": [...]}."""
    done = subprocess.run([*prefix, BIN / "holdfast-agent", "doctor", "--state", state, "--timeout",
                           "2", "-o", "json", *more], capture_output=True, timeout=60, check=False,
                          env={"PATH": os.environ["PATH"], **(env or {})})
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def steps(report, server=None, proxy=""):
    """{step: (ok, found)} of this machine, or of one way to a server."""
    return {s["step"]: (s["ok"], s["found"]) for s in report["steps"]
            if s["server"] == (server or "") and s["proxy"] == (proxy if server else "")}


class Answering:
    """Takes one request after the other and answers each with the same bytes, whatever they are."""

    def __init__(self, response):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "ws://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.response = response
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                try:
                    ws_server.read_request(ws_server.Peer(sock))
                    sock.sendall(self.response)
                except OSError:
                    pass


class DoctorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-doctor-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        fleet, bundle = cls.dir / "fleet", cls.dir / "bundle"
        agent_bundle.make_fleet(BIN, fleet)
        tls = fleet / "server/tls"
        cls.gateway = MiniGateway(tls / "server.crt", tls / "server.key").__enter__()
        cls.addClassCleanup(cls.gateway.__exit__)
        cls.url = f"wss://127.0.0.1:{cls.gateway.port}"
        bundle.write_text(agent_bundle.bundle_text(fleet, cls.url))
        cls.enrolled = cls.dir / "enrolled"
        subprocess.run([BIN / "holdfast-agent", "enrol", "--bundle", bundle, "--state", cls.enrolled],
                       check=True, timeout=60, stdout=subprocess.DEVNULL)
        cls.misbehaving = subprocess.Popen([sys.executable, "-W", "ignore", WS_SERVER],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        cls.addClassCleanup(cls.misbehaving.stdout.close)
        cls.addClassCleanup(cls.misbehaving.wait)
        cls.addClassCleanup(cls.misbehaving.stdin.close)
        cls.ports = json.loads(cls.misbehaving.stdout.readline())
        cls.other_ca = pathlib.Path(cls.ports["ca"]).read_bytes()

    def setUp(self):
        self.state = pathlib.Path(tempfile.mkdtemp(dir=self.dir)) / "state"
        shutil.copytree(self.enrolled, self.state)

    def fails(self, server, step, *words, ca=None, expect_ok=()):
        """Points the agent at `server`; doctor must fail at `step` and nowhere before."""
        agent_bundle.point_at(self.state, server, ca=ca)
        report = doctor(self.state, expect=1)
        way = steps(report, server)
        self.assertEqual(list(way)[-1], step, report)
        self.assertEqual([name for name, (ok, _) in way.items() if not ok], [step], report)
        for word in words:
            self.assertIn(word, way[step][1])
        for name in expect_ok:
            self.assertTrue(way[name][0], report)
        self.assertFalse(report["ok"])
        self.assertTrue(next(s for s in report["steps"] if not s["ok"])["fix"])
        return report

    def test_finds_nothing_wrong_with_what_is_in_order_and_sends_no_hello(self):
        hellos = self.gateway.hellos
        report = doctor(self.state, expect=0)
        self.assertTrue(report["ok"])
        self.assertEqual(list(steps(report)), ["state", "identity", "bundle", "policy", "disk", "journal",
                                               "clock"])
        self.assertEqual(list(steps(report, self.url)), ["name", "tcp", "tls", "upgrade", "challenge"])
        self.assertEqual(self.gateway.hellos, hellos)
        self.assertRegex(report["agent"], r"^[0-9a-f]{32}$")
        left = {p.name for p in self.state.iterdir()} - {p.name for p in self.enrolled.iterdir()}
        self.assertLessEqual(left, {"journal.db-shm", "journal.db-wal"})  # SQLite's, as status leaves them

    def test_says_it_in_a_table_too(self):
        agent_bundle.point_at(self.state, self.url, "ws://127.0.0.1:1")
        done = subprocess.run([BIN / "holdfast-agent", "doctor", "--state", self.state],
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        text = done.stdout.decode()
        self.assertRegex(text, r"(?m)^this machine\n  state     ok  +\d+ ms /")
        self.assertRegex(text, r"(?m)^ws://127\.0\.0\.1:1\n  name      ok  .*\n  tcp       FAIL +\d+ ms .*refused"
                               r"\n +Refused: nothing listens there")
        self.assertTrue(text.endswith("something is wrong: see FAIL\n"))

    def test_closed_port(self):
        self.fails("wss://127.0.0.1:1", "tcp", "Connection refused")

    def test_unknown_name(self):
        self.fails("wss://no-such-name.invalid:443", "name")

    def test_unknown_name_with_a_last_address(self):
        server = f"ws://no-such-name.invalid:{free_ports(1)[0]}"
        agent_bundle.point_at(self.state, server)
        (self.state / "routes").write_text(f"address {server} 127.0.0.1\n")
        way = steps(doctor(self.state, expect=1), server)
        self.assertEqual(list(way), ["name", "tcp"])
        self.assertIn("127.0.0.1, where it was last", way["name"][1])

    def test_mute_server(self):
        server = f"wss://127.0.0.1:{self.ports['mute']}"
        self.fails(server, "tls", "no answer in time", expect_ok=["tcp"])

    def test_wrong_ca(self):
        self.fails(f"wss://127.0.0.1:{self.ports['tls']}", "tls", "another CA")

    def test_certificate_of_another_host(self):
        self.fails(f"wss://127.0.0.1:{self.ports['tls_other_host']}", "tls", "another host",
                   ca=self.other_ca)

    def test_expired_certificate(self):
        self.fails(f"wss://127.0.0.1:{self.ports['tls_expired']}", "tls", "expired", ca=self.other_ca)

    def test_plain_server_behind_a_wss_url(self):
        self.fails(f"wss://127.0.0.1:{self.ports['plain']}", "tls", ca=self.other_ca)

    def test_server_that_upgrades_and_says_nothing(self):
        self.fails(f"wss://127.0.0.1:{self.ports['tls']}", "challenge", "no answer in time",
                   ca=self.other_ca, expect_ok=["tls", "upgrade"])

    def test_http_answers_in_place_of_the_upgrade(self):
        for response, words in (
                (b"HTTP/1.1 403 No\r\nServer: squid\r\nContent-Length: 0\r\n\r\n", "HTTP 403 from 'squid'"),
                (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP 200"),
                (b"SSH-2.0-OpenSSH_9.2\r\n", "no HTTP")):
            with self.subTest(response=response):
                report = self.fails(Answering(response).url, "upgrade", words)
                self.assertIn("WebSocket", report["steps"][-1]["fix"])

    def test_gateway_of_another_name(self):
        with MiniGateway(server_name="elsewhere") as other:
            self.fails(f"ws://127.0.0.1:{other.port}", "challenge", "elsewhere")

    def test_wrong_clock(self):
        with MiniGateway(clock_offset_s=-3600) as past:
            agent_bundle.point_at(self.state, f"ws://127.0.0.1:{past.port}")
            report = doctor(self.state, expect=1)
        ok, found = steps(report)["clock"]
        self.assertFalse(ok)
        self.assertRegex(found, r"^3(600|599) s ahead of the server's$")
        self.assertIn("NTP", report["steps"][-1]["fix"])

    def test_full_disk(self):
        """A file system of 2 MiB, filled, in a mount namespace of its own."""
        state = self.state
        script = ('set -e; s=$1; shift; cp -a "$s" "$s.kept"; mount -t tmpfs -o size=2M none "$s"; '
                  'cp -a "$s.kept/." "$s"; dd if=/dev/zero of="$s/filler" bs=4096 status=none 2>/dev/null || true; '
                  'exec "$@"')
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        report = doctor(state, expect=1, prefix=[*unshare, "sh", "-c", script, "sh", state])
        ok, found = steps(report)["disk"]
        self.assertFalse(ok, report)
        self.assertRegex(found, "No space left|only 0 MiB")

    def test_damaged_files(self):
        for name, step in (("identity.key", "identity"), ("bundle.pb", "bundle"), ("journal.db", "journal")):
            with self.subTest(name=name):
                shutil.rmtree(self.state)
                shutil.copytree(self.enrolled, self.state)
                (self.state / name).write_bytes(b"\xff" * 100)
                report = doctor(self.state, expect=1)
                self.assertEqual([s["step"] for s in report["steps"] if not s["ok"]][0], step, report)

    def test_policy_of_somebody_else(self):
        path = self.state / "bundle.pb"
        kept = [(n, b"\x01" * 16 if n == agent_bundle.FLEET_ID else v)
                for n, v in agent_bundle.members(path.read_bytes())]
        path.write_bytes(b"".join(agent_bundle.field(n, v) for n, v in kept))
        report = doctor(self.state, expect=1)
        self.assertEqual([s["step"] for s in report["steps"] if not s["ok"]][0], "policy", report)

    def test_no_state_at_all(self):
        report = doctor(self.dir / "nowhere", expect=1)
        self.assertEqual([(s["step"], s["ok"]) for s in report["steps"]], [("state", False)])

    def test_a_proxy_that_works_makes_up_for_a_direct_way_that_does_not(self):
        with ConnectProxy(reach=("127.0.0.1", self.gateway.port)) as proxy:
            agent_bundle.point_at(self.state, self.url.replace("127.0.0.1", "localhost"))
            server = self.url.replace("127.0.0.1", "localhost")
            (self.state / "routes").write_text(f"proxy http://127.0.0.1:{proxy.port}\n")
            report = doctor(self.state, expect=1)  # the mini gateway serves as 127.0.0.1
            way = steps(report, server, f"http://127.0.0.1:{proxy.port}")
            self.assertEqual(list(way), ["proxy", "tls", "upgrade", "challenge"])
            self.assertTrue(way["upgrade"][0])
            unreachable = "wss://127.0.0.1:1"
            agent_bundle.point_at(self.state, unreachable)
            report = doctor(self.state, expect=0)
            self.assertFalse(steps(report, unreachable)["tcp"][0])
            self.assertTrue(report["ok"])
        self.assertEqual(proxy.asked[-1][:2], ("127.0.0.1", 1))

    def test_proxies_that_do_not_help(self):
        for how, words in (({"answer": connect_proxy.REFUSE}, "HTTP 403 Not by me"),
                           ({"login": ("ada", "right")}, "HTTP 407"),
                           ({"answer": connect_proxy.CUT}, "without an answer"),
                           ({"answer": connect_proxy.GARBAGE}, "no HTTP proxy"),
                           ({"answer": connect_proxy.MUTE}, "no answer in time")):
            with self.subTest(how=how), ConnectProxy(**how) as proxy:
                agent_bundle.point_at(self.state, "wss://127.0.0.1:1")
                (self.state / "routes").write_text(f"proxy http://ada:s3cr3t@127.0.0.1:{proxy.port}\n")
                report = doctor(self.state, expect=1)
                way = steps(report, "wss://127.0.0.1:1", f"http://ada:***@127.0.0.1:{proxy.port}")
                self.assertEqual(list(way), ["proxy"])
                self.assertIn(words, way["proxy"][1])
                self.assertNotIn("s3cr3t", json.dumps(report))


class UpgradeStripper:
    """A TLS-ending reverse proxy that forwards requests without Upgrade, as many do by default."""

    def __init__(self, cert, key, to_port, ca):
        self.context, self.to_port = ws_server.tls((cert, key)), to_port
        self.client = ws_server.ssl.create_default_context(cafile=ca)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
                with self.context.wrap_socket(sock, server_side=True) as peer, \
                        socket.create_connection(("127.0.0.1", self.to_port)) as raw, \
                        self.client.wrap_socket(raw, server_hostname="127.0.0.1") as server:
                    path, headers = ws_server.read_request(ws_server.Peer(peer))
                    for gone in ("upgrade", "connection"):
                        headers.pop(gone, None)
                    server.sendall((f"GET {path} HTTP/1.1\r\n" + "".join(
                        f"{k}: {v}\r\n" for k, v in headers.items() if k) + "\r\n").encode())
                    peer.sendall(server.recv(4096))
            except OSError:
                if self.listener.fileno() < 0:
                    return


class BesideARunningAgentTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("one")

    def test_the_agent_keeps_its_link(self):
        before = self.agent.log.read_text()
        report = doctor(self.agent.state, expect=0)
        self.assertTrue(report["ok"])
        server = f"wss://127.0.0.1:{self.stack.agent_port}"
        self.assertEqual(list(steps(report, server)), ["name", "tcp", "tls", "upgrade", "challenge"])
        self.stack.holdfast("exec", self.agent.id[:12], "--", "true")
        self.assertEqual(self.agent.log.read_text()[len(before):].count("link_closed"), 0)

    def test_a_reverse_proxy_that_strips_the_upgrade_is_named(self):
        tls = self.stack.fleet / "server/tls"
        stripper = UpgradeStripper(tls / "server.crt", tls / "server.key", self.stack.agent_port,
                                   tls / "ca.crt")
        self.addCleanup(stripper.listener.close)
        state = self.stack.dir / "behind"
        shutil.copytree(self.agent.state, state)
        server = f"wss://127.0.0.1:{stripper.port}"
        agent_bundle.point_at(state, server)
        way = steps(doctor(state, expect=1), server)
        self.assertEqual(way["upgrade"], (False, "HTTP 426 from 'holdfast'"))
        # And the agent itself gives it its own reason.
        log = self.stack.dir / "behind.log"
        with open(log, "wb") as out:
            agent = subprocess.Popen([BIN / "holdfast-agent", "run", "--state", state], stderr=out,
                                     env=self.stack.env())
        try:
            wait_for(lambda: re.search(r"dial_failed reason=upgrade_blocked", log.read_text()), 20,
                     lambda: log.read_text())
        finally:
            agent.terminate()
            agent.wait(15)


if __name__ == "__main__":
    main()
