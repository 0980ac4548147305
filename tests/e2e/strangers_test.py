#!/usr/bin/env python3
"""Whatever connects to the agents' port and is no agent is closed in time, counted, and harms nobody."""
import base64
import os
import socket
import ssl
import threading
import time

from harness.procs import wait_for
from harness.case import StackTest, main

HANDSHAKE_SECONDS = 10   # TLS and upgrade; then as long again for the first message
SLACK_SECONDS = 8        # a busy machine
GATEWAY_GROWTH = 32 * 1024 * 1024

GET = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n"
UPGRADE = ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {protocol}\r\n{more}")


class StrangersTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    def setUp(self):
        self.before = self.stack.metrics()

    # --- a stranger's means ----------------------------------------------------------------------
    def tcp(self, port=None):
        peer = socket.create_connection(("127.0.0.1", port or self.stack.agent_port), timeout=5)
        self.addCleanup(peer.close)
        peer.settimeout(2 * HANDSHAKE_SECONDS + SLACK_SECONDS)
        return peer

    def tls(self, alpn=None, port=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(alpn)
        peer = context.wrap_socket(self.tcp(port))
        self.addCleanup(peer.close)
        return peer

    def request(self, peer, path="/agent/v1", upgrade=True, protocol="holdfast.link.v1", more=""):
        key = base64.b64encode(os.urandom(16)).decode()
        head = UPGRADE.format(key=key, protocol=protocol, more=more) if upgrade else more
        peer.sendall(GET.format(path=path, more=head).encode())
        answer = self.read(peer, until=b"\r\n\r\n")
        return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else None

    @staticmethod
    def read(peer, until=None):
        """Until the other side closes, or `until` came; what was read. Raises on a timeout."""
        got = b""
        while until is None or until not in got:
            try:
                more = peer.recv(65536)
            except TimeoutError:
                raise AssertionError(f"still open after {peer.gettimeout()} s; got {got[:200]!r}")
            except OSError:
                break
            if not more:
                break
            got += more
        return got

    def closes(self, peer, within):
        began = time.monotonic()
        got = self.read(peer)
        self.assertLess(time.monotonic() - began, within + SLACK_SECONDS)
        return got

    def closed_by(self, reason):
        now = self.stack.metrics()
        names = [n for n in now if n.startswith("holdfast_closed_total{") and reason in n.upper()]
        return sum(now[n] - self.before.get(n, 0) for n in names)

    def closed_at_least(self, count, *reasons):
        """A peer sees its socket close a moment before the gateway has counted it."""
        wait_for(lambda: sum(self.closed_by(reason) for reason in reasons) >= count, 5,
                 lambda: f"{reasons}: {[self.closed_by(r) for r in reasons]}\n{self.stack.logs()}")

    def tearDown(self):
        """Nobody else was harmed."""
        answer = self.stack.holdfast("query", self.agent.id, "SELECT 1 AS one").json()[0]
        self.assertEqual(answer["outcome"], "DONE")
        self.assertEqual(self.stack.metrics()["holdfast_links_opened_total"],
                         self.before["holdfast_links_opened_total"])

    # --- strangers -------------------------------------------------------------------------------
    def test_the_port_for_analysts_takes_16_kib_of_whom_it_does_not_know(self):
        peer = self.tls(port=self.stack.api_port)
        self.assertEqual(self.request(peer, path="/api/v1", protocol="holdfast.api.v1"), 101)
        began = time.monotonic()
        # The beginning of one byte more, as the frame's head says; the rest is not waited for.
        peer.sendall(b"\x82\xfe" + (16 * 1024 + 1).to_bytes(2, "big") + bytes(4) + bytes(100))
        self.assertIn(b"message too large", self.read(peer))
        self.assertLess(time.monotonic() - began, HANDSHAKE_SECONDS / 2)  # not for want of a login

    def test_the_slow_ones_are_closed_at_the_deadline(self):
        """Side by side, so that the deadlines pass only once."""
        half = ssl.MemoryBIO()
        hello = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        hello.check_hostname, hello.verify_mode = False, ssl.CERT_NONE
        try:
            hello.wrap_bio(ssl.MemoryBIO(), half).do_handshake()
        except ssl.SSLWantReadError:
            pass
        half_hello = half.read()[:100]

        def silent():
            self.closes(self.tcp(), HANDSHAKE_SECONDS)

        def half_a_handshake():
            peer = self.tcp()
            peer.sendall(half_hello)
            self.closes(peer, HANDSHAKE_SECONDS)

        def tls_and_nothing():
            self.closes(self.tls(), HANDSHAKE_SECONDS)

        def half_a_request():
            peer = self.tls()
            peer.sendall(b"GET /agent/v1 HTTP/1.1\r\nHost: x\r\n")
            self.closes(peer, HANDSHAKE_SECONDS)

        def a_link_without_hello():
            peer = self.tls()
            self.assertEqual(self.request(peer), 101)
            self.closes(peer, HANDSHAKE_SECONDS)

        failures = []

        def guarded(stranger):
            try:
                stranger()
            except BaseException as why:  # pylint: disable=broad-except
                failures.append(f"{stranger.__name__}: {why!r}")
        threads = [threading.Thread(target=guarded, args=(s,)) for s in (
            silent, half_a_handshake, tls_and_nothing, half_a_request, a_link_without_hello)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.closed_at_least(5, "HANDSHAKE_TIMEOUT", "CONNECT_FAILED")

    def test_a_port_scanner_goes_unnoticed_by_all_but_the_counters(self):
        for _ in range(50):
            self.tcp().close()

    def test_who_was_not_let_in_is_named_in_the_log_and_does_not_fill_it(self):
        peer = self.tls()
        self.request(peer, path="/")
        self.closes(peer, 2)
        log = self.stack.dir / "holdfastd.log"

        def told(event, *parts):
            return any(f"event={event} " in line and all(part in line for part in parts)
                       for line in log.read_text().splitlines())
        wait_for(lambda: told("link_refused", "reason=not_a_link", 'peer="127.0.0.1:'), 10, self.stack.logs)
        for _ in range(60):
            self.tcp().close()
        wait_for(lambda: told("links_refused", "more="), 10, self.stack.logs)

    def test_plain_http_on_the_tls_port_is_closed(self):
        peer = self.tcp()
        peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertNotIn(b"200", self.closes(peer, 2)[:20])
        self.closed_at_least(1, "CONNECT_FAILED", "NOT_A_LINK")

    def test_a_browser_is_turned_away(self):
        for more in ("Origin: https://evil.example\r\n",):
            peer = self.tls()
            self.assertEqual(self.request(peer, more=more), 403)
            self.closes(peer, 2)
        self.closed_at_least(1, "NOT_A_LINK")

    def test_other_paths_and_protocols_are_turned_away(self):
        for how in ({"path": "/"}, {"path": "/api/v1"}, {"protocol": "chat"}, {"upgrade": False},
                    {"path": "/agent/v1/more"}):
            with self.subTest(how=how):
                peer = self.tls()
                self.assertIn(self.request(peer, **how), (403, 404, 426, None))
                self.closes(peer, 2)
        self.closed_at_least(5, "NOT_A_LINK")

    def test_http_2_and_extensions_are_never_granted(self):
        peer = self.tls(alpn=["h2", "http/1.1"])
        self.assertIn(peer.selected_alpn_protocol(), (None, "http/1.1"))
        peer = self.tls()
        key = base64.b64encode(os.urandom(16)).decode()
        peer.sendall(GET.format(path="/agent/v1", more=UPGRADE.format(
            key=key, protocol="holdfast.link.v1",
            more="Sec-WebSocket-Extensions: permessage-deflate\r\n")).encode())
        self.assertNotIn(b"permessage-deflate", self.read(peer, until=b"\r\n\r\n").lower())

    def tls_with(self, ciphers, oldest, newest):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers(ciphers)
        context.minimum_version, context.maximum_version = oldest, newest
        return context.wrap_socket(self.tcp())

    def test_an_agent_that_is_faster_with_chacha20_gets_it_and_every_other_aes_128(self):
        gcm, chacha = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"
        big = "ECDHE-ECDSA-AES256-GCM-SHA384"
        for offered, taken in (([gcm, chacha, big], gcm), ([chacha, gcm, big], chacha), ([big, gcm], gcm)):
            v12 = ssl.TLSVersion.TLSv1_2
            with self.subTest(offered=offered), self.tls_with(":".join(offered), v12, v12) as peer:
                self.assertEqual(peer.cipher()[0], taken)

    def test_old_tls_and_weak_suites_are_refused(self):
        """F7: below TLS 1.2, or a suite that is no AEAD."""
        v11, v12 = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2
        with self.assertRaises((ssl.SSLError, OSError)):
            self.tls_with("ALL:@SECLEVEL=0", v11, v11)
        for weak in ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"):
            with self.subTest(suite=weak), self.assertRaises((ssl.SSLError, OSError)):
                self.tls_with(weak + ":@SECLEVEL=0", v12, v12)
        with self.tls_with("ECDHE-ECDSA-AES128-GCM-SHA256", v12, v12) as peer:  # else the above proves nothing
            self.assertEqual(peer.version(), "TLSv1.2")

    def frame(self, opcode, size, sent=b""):
        """The head of a masked WebSocket frame that claims `size` bytes, and some of them."""
        head = bytes([0x80 | opcode, 0x80 | 127]) + size.to_bytes(8, "big") + b"\0\0\0\0"
        return head + sent

    def test_a_gigabyte_frame_is_closed_before_it_is_read(self):
        gateway = self.stack.processes("gateway")[0]
        rss = gateway.memory("Rss")
        for size in (1 << 30, (1 << 63) - 1, 600 * 1024):
            with self.subTest(size=size):
                peer = self.tls()
                self.assertEqual(self.request(peer), 101)
                try:
                    peer.sendall(self.frame(2, size, b"x" * 65536))
                    for _ in range(64):
                        peer.sendall(b"x" * 65536)
                except OSError:
                    pass  # closed while we wrote: just what should be
                self.closes(peer, 2)
        self.assertLess(gateway.memory("Rss") - rss, GATEWAY_GROWTH)
        self.closed_at_least(3, "FRAME_TOO_LARGE")

    def test_text_and_garbage_frames_are_closed_with_a_reason(self):
        for opcode, body in ((1, b"hello"), (2, os.urandom(64)), (2, b"\x12\x04\x62\x02\x0a\x00")):
            with self.subTest(opcode=opcode, body=body):
                peer = self.tls()
                self.assertEqual(self.request(peer), 101)
                peer.sendall(bytes([0x80 | opcode, 0x80 | len(body)]) + b"\0\0\0\0" + body)
                self.closes(peer, 2)
        self.closed_at_least(3, "BAD_FRAME", "UNEXPECTED_FRAME")


if __name__ == "__main__":
    main()
