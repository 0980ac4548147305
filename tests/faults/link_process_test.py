#!/usr/bin/env python3
"""The agent's link process between a warden and a server that both do what a test says.

The process is real (build/<preset>/bin/link_driver: RunLink with shorter times); warden is this script at
the other end of the socketpair, the server is tests/support/ws_server.py's half of the handshake.
"""
import os, socket, struct, subprocess, sys, tempfile, threading, time, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import ws_server  # noqa: E402
from lab import kernel  # noqa: E402
from connect_proxy import ConnectProxy  # noqa: E402
from mini_gateway import field  # noqa: E402
from ws_server import frame  # noqa: E402

DRIVER = os.environ.get("HOLDFAST_LINK_DRIVER", "build/dev/bin/link_driver")
CONFIG, TO_SERVER, BUSY, HANG_UP, WELCOMED, ROUTES = 1, 2, 3, 4, 5, 6
OPENED, FROM_SERVER, CLOSED, REACHED = 16, 17, 18, 19
PEER_GONE, PEER_SILENT, HANDSHAKE_TIMEOUT, BAD_FRAME, FRAME_TOO_LARGE = 1, 2, 3, 4, 5
NOT_ENROLLED, TRY_LATER, GOING_AWAY, AGENT_STOPPING, NOT_A_LINK = 8, 12, 13, 15, 16
CONNECT_FAILED, SERVER_UNTRUSTED, UPGRADE_BLOCKED = 17, 18, 21


def message(number, body):
    """A LinkMessage of one frame: member `number` of Frame's oneof."""
    return field(2, field(number, body))


HELLO = message(2, field(1, b"h" * 100))
CHALLENGE = message(1, field(1, 1) + field(2, b"n" * 32) + field(3, b"localhost"))
WELCOME = message(3, field(1, 1) + field(2, b"c" * 16))
BEAT, IDLE_BEAT = message(6, b""), message(6, field(2, 1))
UP = message(8, field(1, b"d" * 32) + field(2, 1) + field(4, b""))


def close_frame(reason, detail=b"", retry=0):
    return message(4, field(1, reason) + field(2, detail) + field(3, retry))


def jump_a_little():
    try:
        kernel.jump_clock()
    except OSError as why:
        raise unittest.SkipTest(f"setting the clock, even by nothing, needs root: {why}") from None


STOOD_SECONDS = 10.1  # as agent/core/dialer.h, and a little


class LinkProcessTest(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.listener.settimeout(20)
        self.server = "ws://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.child = None
        self.buffer = b""
        self.log = tempfile.TemporaryFile()
        self.addCleanup(self.log.close)

    def tearDown(self):
        self.listener.close()
        if self.child:
            self.warden.close()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                self.fail("link outlived its warden")

    def start(self, servers=None, ca=b"", greeting=3000, answer=500, base=10, cap=20, routes=None):
        self.warden, other = socket.socketpair()
        self.warden.settimeout(20)

        def child():
            os.dup2(other.fileno(), 3)
            os.set_inheritable(3, True)

        self.child = subprocess.Popen([DRIVER, str(greeting), str(answer), str(base), str(cap)],
                                      preexec_fn=child, close_fds=False, stderr=self.log)
        other.close()
        servers = servers or [self.server]
        if routes is None:  # known already: nothing to report
            routes = "".join(f"address {s} 127.0.0.1\n" for s in servers)
        self.say(ROUTES, routes.encode())
        bundle = b"".join(field(3, s.encode()) for s in servers)
        self.say(CONFIG, bundle + field(4, ca))

    def say(self, kind, payload=b""):
        self.warden.sendall(struct.pack("<IB", len(payload) + 1, kind) + payload)

    def hear(self):
        """Next message of link: (type, payload)."""
        while True:
            if len(self.buffer) >= 4:
                (size,) = struct.unpack_from("<I", self.buffer)
                if len(self.buffer) >= 4 + size:
                    kind, payload = self.buffer[4], self.buffer[5:4 + size]
                    self.buffer = self.buffer[4 + size:]
                    return kind, payload
            got = self.warden.recv(1 << 20)
            if not got:
                raise EOFError("link is gone")
            self.buffer += got

    def expect(self, kind, payload=None):
        got = self.hear()
        self.assertEqual(got[0], kind, got)
        if payload is not None:
            self.assertEqual(got[1], payload)
        return got[1]

    def expect_closed(self, reason):
        payload = self.expect(CLOSED)
        self.assertEqual(struct.unpack_from("<H", payload)[0], reason, payload)
        return payload[2:]

    def accept(self):
        sock, _ = self.listener.accept()
        sock.settimeout(20)
        self.addCleanup(sock.close)
        return ws_server.upgrade(sock)

    def go_up(self, idle=60, busy=25):
        peer = self.accept()
        self.expect(OPENED, b"127.0.0.1")
        peer.send(frame(CHALLENGE))
        self.expect(FROM_SERVER, CHALLENGE)
        self.say(TO_SERVER, HELLO)
        self.assertEqual(peer.read(), (2, HELLO))
        peer.send(frame(WELCOME))
        self.expect(FROM_SERVER, WELCOME)
        self.say(WELCOMED, struct.pack("<II", idle, busy))
        return peer

    def test_passes_messages_both_ways_byte_for_byte(self):
        self.start()
        peer = self.go_up()
        for size in (1, 1000, 70000, 300000):
            up = message(8, os.urandom(size))
            self.say(TO_SERVER, up)
            self.assertEqual(peer.read(), (2, up))
            down = message(12, os.urandom(size))
            peer.send(frame(down))
            self.expect(FROM_SERVER, down)

    def test_beats_by_itself_and_warden_hears_nothing_of_it(self):
        self.start()
        peer = self.go_up(idle=1, busy=1)
        for _ in range(2):
            self.assertEqual(peer.read(), (2, IDLE_BEAT))
            peer.send(frame(message(6, field(1, 123))))
        for state, beat in ((b"\1", BEAT), (b"\0", IDLE_BEAT)):
            self.say(BUSY, state)
            self.assertEqual(peer.read(), (2, beat))
            peer.send(frame(message(6, field(1, 123))))
        peer.send(frame(UP))
        self.expect(FROM_SERVER, UP)  # the answers to the beats did not come

    def test_hangs_up_on_a_server_that_leaves_a_beat_unanswered(self):
        self.start()
        peer = self.go_up(idle=1, busy=1)
        self.assertEqual(peer.read(), (2, IDLE_BEAT))
        self.assertEqual(peer.read(), (2, message(4, field(1, PEER_SILENT))))
        self.expect_closed(PEER_SILENT)

    def test_waits_for_the_answer_to_a_beat_behind_a_large_message_on_a_slow_path(self):
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.start(answer=500)
        peer = self.go_up(idle=1, busy=1)
        size = len(message(8, b"x" * 300000))
        self.say(TO_SERVER, message(8, b"x" * 300000))
        left = 2 + 8 + 4 + size  # RFC 6455: header, length, mask
        began = time.monotonic()
        while left > 0:
            left -= len(peer.sock.recv(min(left, 8192)))
            time.sleep(0.08)
        # The beat came due in the middle, and its answer time ran out twice since.
        self.assertGreater(time.monotonic() - began, 2.5)
        self.assertEqual(peer.read(), (2, IDLE_BEAT))
        peer.send(frame(message(6, field(1, 123))))
        self.say(TO_SERVER, UP)
        self.assertEqual(peer.read(), (2, UP))

    def test_asks_the_server_at_once_after_the_clock_has_jumped(self):
        self.start()
        peer = self.go_up()
        self.say(TO_SERVER, UP)
        peer.read()  # so it has read that it is welcome
        for _ in range(2):
            jump_a_little()
            self.assertEqual(peer.read(), (2, IDLE_BEAT))  # a minute before it is due
            peer.send(frame(message(6, field(1, 123))))

    def test_drops_what_warden_sent_for_the_connection_before(self):
        self.start()
        peer = self.go_up()
        peer.sock.close()
        self.say(TO_SERVER, UP)
        self.expect_closed(PEER_GONE)
        peer = self.accept()
        self.expect(OPENED)
        self.say(TO_SERVER, UP)  # warden has not read kClosed yet
        self.say(TO_SERVER, HELLO)  # nor is this an answer to the new challenge
        time.sleep(0.2)
        peer.send(frame(CHALLENGE))
        self.expect(FROM_SERVER, CHALLENGE)
        self.say(TO_SERVER, HELLO)
        self.say(TO_SERVER, UP)
        self.assertEqual([peer.read(), peer.read()], [(2, HELLO), (2, UP)])

    def test_says_the_servers_reason_when_the_server_closes(self):
        self.start()
        peer = self.go_up()
        peer.send(frame(close_frame(NOT_ENROLLED, b"who are you")))
        self.expect(FROM_SERVER)
        peer.sock.close()
        self.assertEqual(self.expect_closed(NOT_ENROLLED), b"who are you")

    def test_reads_a_reason_from_the_websocket_close_code(self):
        self.start()
        peer = self.accept()
        self.expect(OPENED)
        peer.send(frame(struct.pack("!H", 4400 + NOT_ENROLLED) + b"no", 8))
        self.expect_closed(NOT_ENROLLED)

    def test_leaves_on_goaway_and_dials_again_at_once(self):
        self.start(base=60000, cap=60000)  # a back-off would show
        peer = self.go_up()
        time.sleep(STOOD_SECONDS)  # a link that ended sooner is followed by the back-off
        peer.send(frame(message(5, field(1, GOING_AWAY) + field(2, 1))))
        self.expect(FROM_SERVER)
        self.assertEqual(peer.read(), (2, message(4, field(1, GOING_AWAY))))
        peer.drain()
        self.expect_closed(GOING_AWAY)
        self.go_up()

    def test_sends_its_reason_and_ends_when_the_agent_stops(self):
        self.start()
        peer = self.go_up()
        self.say(HANG_UP, struct.pack("<H", AGENT_STOPPING))
        self.assertEqual(peer.read(), (2, message(4, field(1, AGENT_STOPPING))))
        opcode, body = peer.read()
        self.assertEqual((opcode, body[:2]), (8, struct.pack("!H", 1000)))
        peer.send(frame(body, 8))
        self.expect_closed(AGENT_STOPPING)
        self.assertEqual(self.child.wait(10), 0)

    def test_takes_a_warden_that_has_gone_for_the_end_and_not_for_an_error(self):
        self.start()
        peer = self.go_up()
        self.warden.shutdown(socket.SHUT_RD)  # gone, as a write sees it
        peer.send(frame(close_frame(GOING_AWAY)))
        self.assertEqual(self.child.wait(10), 0)
        self.log.seek(0)
        self.assertNotIn(b"link_exit", self.log.read())

    def test_refuses_a_greeting_above_8_kib(self):
        self.start()
        peer = self.accept()
        self.expect(OPENED)
        peer.send(frame(message(1, b"x" * 9000)))
        self.assertEqual(peer.read(), (2, message(4, field(1, FRAME_TOO_LARGE))))
        self.expect_closed(FRAME_TOO_LARGE)

    def test_takes_what_waited_for_the_agent_with_the_welcome_and_behind_it(self):
        self.start()
        peer = self.accept()
        self.expect(OPENED)
        peer.send(frame(CHALLENGE))
        self.expect(FROM_SERVER, CHALLENGE)
        self.say(TO_SERVER, HELLO)
        self.assertEqual(peer.read(), (2, HELLO))
        waited = message(7, b"d" * 60000)
        peer.send(frame(WELCOME + waited) + frame(waited))
        self.expect(FROM_SERVER, WELCOME + waited)
        self.expect(FROM_SERVER, waited)  # warden has not said yet that it is welcome
        peer.sock.close()
        self.expect_closed(PEER_GONE)
        peer = self.accept()  # and the next connection begins anew
        self.expect(OPENED)
        peer.send(frame(waited))
        self.expect_closed(FRAME_TOO_LARGE)

    def test_refuses_what_is_not_a_link_message(self):
        self.start()
        for bad in (frame(b"\xff\xff"), frame(b"hello", 1), frame(message(6, b"") * 65)):
            peer = self.go_up()
            peer.send(bad)
            self.expect_closed(BAD_FRAME)

    def test_refuses_a_message_above_the_limit(self):
        self.start()
        peer = self.go_up()
        peer.send(b"\x82\x7f" + struct.pack("!Q", 1 << 30) + b"x" * 8192)
        self.expect_closed(FRAME_TOO_LARGE)

    def test_does_not_take_slow_bytes_or_endless_fragments_for_life(self):
        self.start(greeting=700)
        header = b"\x82\x7e\x10\x00"  # 4 KiB to come
        for first, more in ((header, b"x"), (frame(b"", 2, False), frame(b"", 0, False))):
            peer = self.accept()
            self.expect(OPENED)
            peer.send(first)
            end = time.monotonic() + 5
            try:
                while time.monotonic() < end:
                    peer.send(more)
                    time.sleep(0.05)
            except OSError:
                pass
            self.assertLess(time.monotonic(), end)
            self.expect_closed(HANDSHAKE_TIMEOUT)

    def test_gives_up_on_a_server_that_never_greets(self):
        self.start(greeting=300)
        self.accept()
        self.expect(OPENED)
        self.expect_closed(HANDSHAKE_TIMEOUT)

    def test_names_what_kept_it_from_connecting(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        self.start(servers=["ws://127.0.0.1:%d" % port, self.server])
        self.expect_closed(CONNECT_FAILED)
        ours = b"\r\nServer: holdfast\r\nContent-Length: 0\r\n\r\n"
        for answer, reason in ((b"403 Forbidden", NOT_A_LINK), (b"404 Not Found", NOT_A_LINK)):
            self.answer(b"HTTP/1.1 " + answer + ours)
            self.expect_closed(reason)
            self.expect_closed(CONNECT_FAILED)
        self.answer(b"HTTP/1.1 503 Busy\r\nRetry-After: 1" + ours)
        self.expect_closed(TRY_LATER)

    def answer(self, response):
        sock, _ = self.listener.accept()
        with sock:
            ws_server.read_request(ws_server.Peer(sock))
            sock.sendall(response)

    def test_says_so_when_something_in_between_bars_the_upgrade(self):
        for response in (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                         b"HTTP/1.1 502 Bad Gateway\r\nServer: squid\r\nContent-Length: 0\r\n\r\n",
                         b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
                         b"HTTP/1.1 426 Upgrade Required\r\nServer: holdfast\r\nContent-Length: 0\r\n\r\n",
                         b"SSH-2.0-OpenSSH_9.2\r\n\r\n"):
            with self.subTest(response=response):
                self.start()
                self.answer(response)
                self.expect_closed(UPGRADE_BLOCKED)
                # Nothing changes within seconds there: no redial for 30 s.
                self.listener.settimeout(1)
                with self.assertRaises(TimeoutError):
                    self.listener.accept()
                self.listener.settimeout(20)
                self.warden.close()
                self.child.wait(10)

    def test_reports_where_it_found_a_server_once(self):
        self.start(routes="")
        peer = self.accept()
        self.expect(REACHED, f"{self.server} 127.0.0.1".encode())
        self.expect(OPENED)
        peer.sock.close()
        self.expect_closed(PEER_GONE)
        self.accept()
        self.expect(OPENED)

    def test_dials_the_last_address_when_the_name_is_unknown(self):
        server = self.server.replace("127.0.0.1", "no-such-name.invalid")
        self.start(servers=[server], routes=f"address {server} 127.0.0.1\n")
        self.accept()
        self.expect(OPENED, b"no-such-name.invalid")

    def test_dials_each_server_directly_and_then_through_the_proxy(self):
        reach = self.listener.getsockname()
        with ConnectProxy(reach=reach) as proxy, socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
            closed.close()
            servers = [f"ws://127.0.0.1:{port}", "ws://127.0.0.1:1"]
            self.start(servers=servers, routes=f"proxy http://127.0.0.1:{proxy.port}\n")
            for asked in [port, 1, port]:
                self.expect_closed(CONNECT_FAILED)
                self.accept().sock.close()
                self.expect(OPENED)
                self.expect_closed(PEER_GONE)
                self.assertEqual(proxy.asked[-1], ("127.0.0.1", asked, None))

    def test_a_link_through_a_proxy_carries_messages_and_notices_its_cut(self):
        with ConnectProxy(reach=self.listener.getsockname(), cut_after=3000) as proxy:
            self.start(servers=["ws://127.0.0.1:1"], routes=f"proxy http://127.0.0.1:{proxy.port}\n")
            self.expect_closed(CONNECT_FAILED)
            peer = self.accept()
            self.expect(OPENED, b"127.0.0.1")
            peer.send(frame(CHALLENGE))
            self.expect(FROM_SERVER, CHALLENGE)
            self.say(TO_SERVER, HELLO)
            self.assertEqual(peer.read(), (2, HELLO))
            peer.send(frame(message(12, b"x" * 8000)))
            self.expect_closed(PEER_GONE)

    def test_says_what_a_proxy_did_wrong(self):
        with ConnectProxy(login=("ada", "right")) as proxy:
            self.start(servers=["ws://127.0.0.1:1"],
                       routes=f"proxy http://ada:s3cr3t@127.0.0.1:{proxy.port}\n")
            self.expect_closed(CONNECT_FAILED)
            self.assertIn(b"HTTP 407", self.expect_closed(CONNECT_FAILED))
        self.log.seek(0)
        log = self.log.read()
        self.assertIn(f"proxy=\"http://ada:***@127.0.0.1:{proxy.port}\"".encode(), log)
        self.assertNotIn(b"s3cr3t", log)

    def test_sends_nothing_to_a_server_of_another_ca(self):
        with tempfile.TemporaryDirectory() as directory:
            ca = ws_server.make_ca(directory, "ca")
            stranger = ws_server.make_ca(directory, "stranger")
            names = "DNS:localhost,DNS:127.0.0.1"
            context = ws_server.tls(ws_server.make_cert(directory, "imposter", stranger, names))
            with open(ca[1], "rb") as pem:
                self.start(servers=[self.server.replace("ws:", "wss:")], ca=pem.read())
            sock, _ = self.listener.accept()
            got = b""
            try:
                with context.wrap_socket(sock, server_side=True) as tls:
                    got = tls.recv(1000)
            except OSError:
                pass
            self.assertEqual(got, b"")
            self.expect_closed(SERVER_UNTRUSTED)

    def rss_kib(self):
        with open("/proc/%d/status" % self.child.pid) as status:
            for line in status:
                if line.startswith("VmRSS"):
                    return int(line.split()[1])
        return 0

    def test_holds_back_warden_when_the_server_does_not_read(self):
        self.start()
        peer = self.go_up()
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        before = self.rss_kib()
        chunk = message(8, b"x" * 250000)
        framed = struct.pack("<IB", len(chunk) + 1, TO_SERVER) + chunk
        self.warden.settimeout(1)
        sent = 0
        with self.assertRaises(TimeoutError):
            while sent < 100 << 20:
                sent += self.warden.send(framed[sent % len(framed):])
        self.assertLess(sent, 16 << 20)  # the rest is in socket buffers
        self.assertLess(self.rss_kib() - before, 4096)
        # ... and it goes on when the server does.
        total = [0]

        def swallow():
            while total[0] < sent // len(framed):
                peer.read()
                total[0] += 1

        reader = threading.Thread(target=swallow)
        reader.start()
        reader.join(20)
        self.assertFalse(reader.is_alive())

    def test_survives_a_flood_without_growing(self):
        self.start()
        peer = self.go_up()
        before = self.rss_kib()
        flood = frame(UP) * 200 + frame(b"ping", 9) * 50
        stop = time.monotonic() + 2

        def pour():
            while time.monotonic() < stop:
                try:
                    peer.sock.sendall(flood)
                except OSError:
                    return

        thread = threading.Thread(target=pour)
        thread.start()
        heard = 0
        while thread.is_alive():
            self.expect(FROM_SERVER, UP)
            heard += 1
        self.assertGreater(heard, 1000)
        self.assertLess(self.rss_kib() - before, 2048)

    def test_stays_flat_while_the_server_is_away(self):
        with tempfile.TemporaryDirectory() as directory:
            ca = ws_server.make_ca(directory, "ca")
            with open(ca[1], "rb") as pem:
                self.start(servers=[self.server.replace("ws:", "wss:")], ca=pem.read(), base=1, cap=1)
            self.listener.close()
            for _ in range(300):
                self.expect_closed(CONNECT_FAILED)
            before = self.rss_kib()
            for _ in range(3000):
                self.expect_closed(CONNECT_FAILED)
            self.assertLess(self.rss_kib() - before, 128)

    def test_ends_when_warden_writes_nonsense(self):
        self.start()
        self.accept()
        self.expect(OPENED)
        self.warden.sendall(struct.pack("<I", 0xFFFFFFFF))
        self.assertEqual(self.child.wait(10), 1)


if __name__ == "__main__":
    unittest.main()
