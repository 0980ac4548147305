"""RedisFront: stands where the private Redis should, passes everything on, and lies when told to.

    holdfastd's processes --> [run/redis.sock: RedisFront] --> [run/redis.sock.real: redis-server]

A hostile front puts its own bytes in the place of a reply, and goes on until the other side leaves. The real
Redis has carried out what was asked: only the answer is lost.

Ordering:  program() goes into the configuration, start() before holdfastd.
Limits:    what one read of the real Redis brings is taken for one reply, which it is for all but pipelined writes.
Threading: an event loop in a thread of its own; be_hostile(), be_honest(), left and sent may be used from outside.
"""
import asyncio
import collections
import random
import socket
import struct
import threading

PIECE_BYTES = 64 * 1024


def endless(head, tail):
    yield head
    while True:
        yield tail


# {name: f(rng, honest reply) -> pieces}
KINDS = {
    "2^31 elements": lambda rng, honest: [b"*%d\r\n" % rng.choice((2**31 - 1, 2**31, 2**32, 2**63 - 1))],
    "10,000 deep": lambda rng, honest: [b"*1\r\n" * 10_000],
    "a string of 2 GiB": lambda rng, honest: endless(b"$%d\r\n" % rng.choice((2**31 - 1, 2**40)),
                                                     b"x" * PIECE_BYTES),
    "a line without end": lambda rng, honest: endless(rng.choice((b"+", b"-", b":", b"$", b"*")),
                                                      b"7" * PIECE_BYTES),
    "numbers without end": lambda rng, honest: endless(b"*1024\r\n", b"*1024\r\n" + b":1\r\n" * 1024),
    "strings without end": lambda rng, honest: endless(b"*1024\r\n", b"$500000\r\n%b\r\n" % (b"x" * 500_000)),
    "garbage": lambda rng, honest: [rng.randbytes(rng.choice((1, 100, 100_000)))],
    "half a reply": lambda rng, honest: [honest[:max(1, len(honest) // 2)]],
    "another type": lambda rng, honest: [rng.choice((b"*2\r\n:1\r\n*1\r\n*0\r\n", b"*1\r\n$4\r\nfour\r\n"))],
    "more than was asked": lambda rng, honest: [honest + rng.choice((b"+OK\r\n", b":1\r\n", honest)) * 3],
}


class RedisFront:
    def __init__(self, path, seed=0):
        self.path, self.real = path, path.with_name(path.name + ".real")
        self.rng = random.Random(seed)
        self.hostile = None         # (name of a kind, "read" or "write" or "", replies of a new link that pass)
        self.sent = collections.Counter()  # {kind: attacks}
        self.left = collections.Counter()  # {pid: attacked links that it has closed}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)

    # --- from outside ----------------------------------------------------------------------------
    def program(self, folder):
        """A setting of holdfastd.toml: the real Redis listens beside."""
        script = folder / "fronted-redis"
        script.write_text('#!/bin/bash\nwords=()\nwhile [ $# -gt 0 ]; do\n'
                          '  words+=("$1"); [ "$1" = --unixsocket ] && { shift; words+=("$1.real"); }\n'
                          '  shift\ndone\nexec redis-server "${words[@]}"\n')
        script.chmod(0o755)
        return "redis", "server_program", str(script)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def be_hostile(self, kind, side="", after=0):
        self.left.clear()
        self.hostile = (kind, side, after)

    def be_honest(self):
        self.hostile = None

    # --- in the loop -----------------------------------------------------------------------------
    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.create_task(self._listen())
        self.loop.run_forever()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    async def _listen(self):
        while not self.real.exists():  # as for a Redis that is not up yet
            await asyncio.sleep(0.02)
        server = await asyncio.start_unix_server(self._serve, self.path)
        self.path.chmod(0o777)
        await server.serve_forever()

    async def _serve(self, client_reads, client_writes):
        try:
            reads, writes = await asyncio.open_unix_connection(self.real)
        except OSError:
            client_writes.close()
            return
        link = Link(self, client_reads, client_writes, reads, writes)
        try:
            await link.run()
        finally:
            client_writes.close()
            writes.close()


class Link:
    def __init__(self, front, client_reads, client_writes, reads, writes):
        self.front = front
        self.client_reads, self.client_writes = client_reads, client_writes
        self.reads, self.writes = reads, writes
        peer = client_writes.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.pid = struct.unpack("iii", peer)[0]
        self.side = "write"
        self.replies = 0
        self.is_new = front.hostile is not None
        self.attacked = False

    async def run(self):
        tasks = [asyncio.ensure_future(pump) for pump in (self.up(), self.down())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.front.left[self.pid] += self.attacked

    async def up(self):
        while data := await self.client_reads.read(PIECE_BYTES):
            if b"XREAD" in data[:40]:
                self.side = "read"
            if not self.attacked:
                self.writes.write(data)
                await self.writes.drain()

    async def down(self):
        while data := await self.reads.read(PIECE_BYTES):
            self.replies += 1
            if self.is_due():
                return await self.attack(data)
            self.client_writes.write(data)
            await self.client_writes.drain()

    def is_due(self):
        if self.front.hostile is None:
            return False
        _, side, after = self.front.hostile
        return side in ("", self.side) and not (self.is_new and self.replies <= after)

    async def attack(self, honest):
        kind = self.front.hostile[0]
        self.attacked = True
        self.front.sent[kind] += 1
        for piece in KINDS[kind](self.front.rng, honest):
            self.client_writes.write(piece)
            await self.client_writes.drain()
        await asyncio.sleep(3600)  # until it leaves
