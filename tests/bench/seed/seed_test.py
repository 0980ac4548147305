#!/usr/bin/env python3
"""The clients of the seed's experiment see what a server does: all of it answered, lost, said twice."""
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import socket
import struct
import subprocess
import threading
import unittest

import peers
import report

BIN = pathlib.Path(os.environ["HOLDFAST_BIN"])
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def client(mode, port, *more, **how):
    done = subprocess.run([BIN / "holdfast-seed-client", mode, "--port", str(port), *map(str, more)],
                          capture_output=True, text=True, timeout=60, check=False, **how)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


@contextlib.contextmanager
def echo(workers):
    with subprocess.Popen([BIN / "holdfast-seed-echo", "--workers", str(workers)],
                          stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(server.stdout.readline().rsplit(":", 1)[1])
            yield port, ",".join(map(str, [server.pid, *peers.children(server.pid)]))
        finally:
            server.terminate()


class BadServer:
    """Speaks the protocol to one client after the other; `answers(c)`: how often c is answered, None: it hangs up."""

    def __init__(self, answers):
        self.answers = answers
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    @staticmethod
    def say(link, c):
        text = json.dumps({"c": c, "ts": 1}).encode()
        link.sendall(struct.pack("!BB", 0x81, len(text)) + text)

    def serve(self, link):
        with contextlib.suppress(OSError, struct.error), link, link.makefile("rb") as read:
            lines = iter(read.readline, b"\r\n")
            key = next(line.split()[1] for line in lines if line.lower().startswith(b"sec-websocket-key"))
            for _ in lines:
                pass
            accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
            link.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            self.say(link, 0)
            while True:
                _, size = struct.unpack("!BB", read.read(2))
                mask = read.read(4)
                body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(read.read(size & 0x7F)))
                c = json.loads(body)["c"]
                often = self.answers(c)
                if often is None:
                    return
                for _ in range(often):
                    self.say(link, c)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


class SeedTest(unittest.TestCase):
    def test_our_transport_answers_everything_in_every_round(self):
        for workers, sizes, how in ((1, (10, 50), ()), (2, (50,), ("--together",))):
            with self.subTest(workers=workers), echo(workers) as (port, pids):
                done, rows = client("rounds", port, "--clients", ",".join(map(str, sizes)), "--requests", 20,
                                    "--server-pids", pids, *how)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual([(row["clients"], row["answered"], row["total"]) for row in rows],
                                 [(size, 20 * size, 20 * size) for size in sizes])
                for row in rows:
                    self.assertEqual([row[key] for key in ("reconnects", "gave_up", "repeated", "unknown", "bad")],
                                     [0] * 5)
                    self.assertGreater(row["server_cpu_s"], 0)

    def test_ping_pong_and_hold_keep_their_links(self):
        with echo(1) as (port, _):
            done, rows = client("pingpong", port, "--clients", 20, "--seconds", 1)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreater(rows[0]["messages"], 20)
            done, rows = client("hold", port, "--clients", 20, input="")
            self.assertEqual((done.returncode, rows[0]["held"], rows[0]["reconnects"]), (0, 20, 0), done.stderr)

    def test_a_lost_answer_and_one_said_twice_are_noticed(self):
        with BadServer(lambda c: {3: 0, 5: 2}.get(c, 1)) as server:
            done, rows = client("rounds", server.port, "--clients", 2, "--requests", 20, "--stall-seconds", 1)
            self.assertEqual(done.returncode, 0, done.stderr)
            row = rows[0]
            self.assertEqual((row["answered"], row["total"], row["gave_up"], row["repeated"]), (38, 40, 2, 2))

    def test_a_connection_that_ends_is_made_again_and_counted(self):
        with BadServer(lambda c: None if c == 3 else 1) as server:
            done, rows = client("rounds", server.port, "--clients", 1, "--requests", 5, "--stall-seconds", 1,
                                "--extra-seconds", 0)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(rows[0]["reconnects"], 1)
            self.assertLess(rows[0]["answered"], 5)

    def test_figures_are_drawn_from_rows_alone_and_a_miss_is_said(self):
        common = {"id": "B1", "n": 10, "send": "together", "answered": 500, "total": 500, "reconnects": 0}
        rows = [{**common, "peer": "holdfast", "cpu_us_per_msg": 2.0, "wall_s": 1.0},
                {**common, "peer": "ws", "cpu_us_per_msg": 7.0, "wall_s": 1.0},
                {**common, "peer": "aiohttp+uvloop", "cpu_us_per_msg": 21.0, "wall_s": 1.0},
                {"id": "B1", "n": 0, "peer": "aiohttp", "problem": "no module"}]
        said = {what: (value, met) for what, value, _, met in report.targets(report.Figures(rows))}
        start = "CPU per message of "
        end = ", 10 clients, requests together"
        self.assertEqual(said[f"{start}aiohttp+uvloop{end}"], ("1/10.5", True))
        self.assertEqual(said[f"{start}ws{end}"], ("1/3.5", False))
        self.assertEqual(said[f"{start}aiohttp{end}"], ("not measured", None))


if __name__ == "__main__":
    unittest.main(verbosity=2)
