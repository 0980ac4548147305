#!/usr/bin/env python3
"""TLS ended by a proxy in front, and the PROXY protocol, spoken by a small one here: agents and analysts come through it, are
seen under their own addresses, and nobody gets past it. The real nginx and haproxy: tests/packages/proxies_test.py.
"""
import socket
import ssl
import struct
import threading
import time

from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import free_ports

V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source, target):
    return f"PROXY TCP4 {source[0]} {target[0]} {source[1]} {target[1]}\r\n".encode()


def v2(source, target):
    # A TLV behind the addresses, as haproxy sends them about TLS.
    body = socket.inet_aton(source[0]) + socket.inet_aton(target[0]) + struct.pack(">HH", source[1], target[1])
    body += b"\x20\0\x05\0\0\0\0\0"
    return V2 + b"\x21\x11" + struct.pack(">H", len(body)) + body


class Front:
    """A TLS proxy, from the port that clients dial to the one behind it."""

    def __init__(self, port, behind, fleet, header):
        self.behind, self.header = behind, header
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(fleet / "server/tls/server.crt", fleet / "server/tls/server.key")
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, peer = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client, peer), daemon=True).start()

    def serve(self, client, peer):
        try:
            client = self.tls.wrap_socket(client, server_side=True)
            back = socket.create_connection(("127.0.0.1", self.behind))
            for piece in self.header(peer, back.getpeername()):
                back.sendall(piece)
                time.sleep(0.02)
        except OSError:
            return client.close()
        back.settimeout(0.01)
        client.settimeout(0.01)  # one thread, both ways: a TLS object is not for two
        try:
            while True:
                for come, go in ((client, back), (back, client)):
                    try:
                        data = come.recv(65536)
                    except (TimeoutError, ssl.SSLWantReadError):
                        continue
                    if not data:
                        return
                    go.settimeout(10)
                    go.sendall(data)
                    go.settimeout(0.01)
        except OSError:
            return
        finally:
            client.close()
            back.close()

    def close(self):
        self.listener.close()


class ProxiedTest(StackTest):
    keys = (("tls", "plain", True), ("proxies", "trusted", ["127.0.0.1"]))

    @classmethod
    def setUpClass(cls):
        # Where clients dial is the proxy's; the backend listens behind it.
        cls.behind = free_ports(2)
        listen = [(section, "listen", f"127.0.0.1:{port}") for section, port in zip(("agents", "api"), cls.behind)]
        cls.keys = (*ProxiedTest.keys, *listen)
        super().setUpClass()

    @classmethod
    def set_up_agents(cls):
        cls.fronts = [
            Front(cls.stack.agent_port, cls.behind[0], cls.stack.fleet, lambda s, t: [v2(s, t)]),
            # The other version, byte by byte.
            Front(cls.stack.api_port, cls.behind[1], cls.stack.fleet,
                  lambda s, t: [bytes([b]) for b in v1(s, t)[:9]] + [v1(s, t)[9:]])]
        for front in cls.fronts:
            cls.addClassCleanup(front.close)
        cls.agent = cls.stack.add_agent("a")

    def refused(self):
        return self.stack.metrics()["holdfast_proxy_refused_total"]

    def refusals(self):
        """What the log says of each; its lines come before the socket ends."""
        return [line for line in self.stack.log.read_text().splitlines() if "event=proxy_refused" in line]

    def talk(self, port, data, source="127.0.0.1"):
        """What comes back before the socket is closed; None: it is still open after 8 s."""
        with socket.create_connection(("127.0.0.1", port), source_address=(source, 0)) as peer:
            peer.sendall(data)
            peer.settimeout(8)
            said = b""
            try:
                while piece := peer.recv(4096):
                    said += piece
            except TimeoutError:
                return None
            except ConnectionError:
                pass
            return said

    def test_agents_and_analysts_come_through_a_proxy_that_ends_tls(self):
        answer = self.stack.holdfast("query", self.agent.id, "SELECT 1 AS one").json()[0]
        self.assertEqual(answer["rows"], [{"one": 1}])
        source = self.stack.dir / "source"
        source.write_bytes(bytes(range(256)) * 20000)
        self.stack.holdfast("get", self.agent.id, source, "-d", self.stack.dir / "got")
        self.assertIn("a proxy ends TLS", self.stack.log.read_text())

    def test_an_agent_is_seen_under_its_own_address(self):
        (front,) = [f for f in self.fronts if f.behind == self.behind[0]]
        front.header = lambda s, t: [v2(("192.0.2.77", 4711), t)]
        try:
            other = self.stack.add_agent("elsewhere")
        finally:
            front.header = lambda s, t: [v2(s, t)]
        self.assertEqual(self.stack.agent_rows()[other.id]["address"], "192.0.2.77:4711")
        self.assertRegex(self.stack.agent_rows()[self.agent.id]["address"], r"^127\.0\.0\.1:\d+$")

    def test_nobody_gets_past_the_proxy(self):
        before = self.refused()
        upgrade = b"GET /agent/v1 HTTP/1.1\r\nHost: x\r\n\r\n"
        good = v1(("192.0.2.1", 1), ("127.0.0.1", 1))
        for port in self.behind:
            for what, data, source, reason in (
                    ("of the proxy's address, without a header", upgrade, "127.0.0.1", "bad_header"),
                    ("a broken header", b"PROXY TCP4 nonsense\r\n" + upgrade, "127.0.0.1", "bad_header"),
                    ("a header that never ends", b"PROXY TCP4 " + b"1" * 600, "127.0.0.1", "bad_header"),
                    ("a binary header of 64 KiB", V2 + b"\x21\x11\xff\xff" + bytes(600), "127.0.0.1", "bad_header"),
                    ("an address that is none", b"PROXY TCP4 1.2.3.x 1.1.1.1 1 1\r\n" + upgrade, "127.0.0.1", "bad_address"),
                    ("no word at all", b"PROXY", "127.0.0.1", "no_header"),
                    ("another address, with a good header", good + upgrade, "127.0.0.9", "not_a_proxy")):
                with self.subTest(port=port, what=what):
                    self.assertEqual(self.talk(port, data, source), b"")
                    self.assertIn(f"reason={reason}", self.refusals()[-1])
                    self.assertIn(source, self.refusals()[-1])
            with self.subTest(port=port, what="one that goes away in the middle"):
                with socket.create_connection(("127.0.0.1", port)) as peer:
                    peer.sendall(b"PROXY TCP4 ")
                wait_for(lambda: "reason=ended" in self.refusals()[-1], 5, self.stack.logs)
        self.assertEqual(self.refused() - before, 16)
        # The proxy's own check, which speaks for nobody: served as the proxy's.
        self.assertIn(b"HTTP/1.1", self.talk(self.behind[0], V2 + b"\x20\0\0\0" + upgrade))

    def test_each_address_behind_the_proxy_has_a_share_of_its_own(self):
        """Who opens sockets and says nothing takes his share, not the proxy's."""
        handshakes = 1000
        share = handshakes // 4
        silent = []
        try:
            for i in range(share + 50):
                peer = socket.create_connection(("127.0.0.1", self.behind[0]))
                peer.sendall(v2(("198.51.100.1", 1000 + i), ("127.0.0.1", 1)))
                silent.append(peer)
            wait_for(lambda: self.stack.metrics()["holdfast_waiting_sockets"] >= 50, 10,
                     lambda: str(self.stack.metrics()["holdfast_waiting_sockets"]))
            began = time.monotonic()
            self.agent.stop()
            self.agent.start()
            wait_for(lambda: self.stack.agent_rows()[self.agent.id]["online"], 10, self.stack.logs)
            print(f"  in after {time.monotonic() - began:.1f} s beside {len(silent)} silent sockets of one address",
                  flush=True)
        finally:
            for peer in silent:
                peer.close()


class FullHouseTest(StackTest):
    """More handshakes than admission takes come through the proxy at once."""

    @classmethod
    def setUpClass(cls):
        cls.behind = free_ports(2)
        listen = [(section, "listen", f"127.0.0.1:{port}") for section, port in zip(("agents", "api"), cls.behind)]
        cls.keys = (*ProxiedTest.keys, *listen, ("admission", "handshakes", 2))
        super().setUpClass()

    def test_who_waits_longer_than_anybody_is_patient_is_closed(self):
        peers = [socket.create_connection(("127.0.0.1", self.behind[0])) for _ in range(12)]
        time.sleep(0.5)  # all are in, and none has said whose it is
        for i, peer in enumerate(peers):
            peer.sendall(v2((f"198.51.100.{i + 1}", 1000), ("127.0.0.1", 1)))  # and nothing more
            peer.setblocking(False)

        def closed():
            count = 0
            for peer in peers:
                try:
                    count += peer.recv(1, socket.MSG_PEEK) == b""
                except BlockingIOError:
                    pass
                except ConnectionError:
                    count += 1
            return count
        try:
            # Two have been with the gateway, two may be by now, and two more if it was quick.
            wait_for(lambda: closed() >= len(peers) - 4, 14, lambda: f"{closed()} of {len(peers)} closed after 14 s")
        finally:
            for peer in peers:
                peer.close()


class ConfigTest(StackTest):
    def setUp(self):
        self.config = self.stack.fleet / "server/holdfastd.toml"
        self.addCleanup(self.config.write_text, self.config.read_text())

    def test_tls_is_not_left_away_by_mistake(self):
        text = self.config.read_text()
        self.config.write_text(text.replace("[tls]", "[tls]\nplain = true"))
        said = self.stack.run("holdfastd", "check-config", "--dir", self.stack.fleet, expect=2).err
        self.assertIn("proxies.trusted", said)
        self.config.write_text(text + '\n[proxies]\ntrusted = ["proxy.example.org"]\n')
        said = self.stack.run("holdfastd", "check-config", "--dir", self.stack.fleet, expect=2).err
        self.assertIn("'proxy.example.org' is no numeric address", said)


if __name__ == "__main__":
    main()
