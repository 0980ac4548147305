"""TcpProxy: a bad network between agents and the backend, on loopback, made by a seed.

    agent --up--> [listener] --up--> backend
          <-down-            <-down-

Everything about the path can be changed while it runs (Path); what happened is counted (counts).

Limits: it ends TCP on both sides: bytes are delayed, thinned, cut, changed or withheld, but packets
        are not lost; what needs loss uses network namespaces (lab/net.py).
        Each side's kernel buffer is BUFFER_BYTES, so that a slow path is felt by the sender.
Threading: runs an event loop in a thread of its own; Path and counts may be touched from outside
        (plain assignments); the other calls go through the loop.
"""
import asyncio
import dataclasses
import random
import socket
import struct
import threading
import time

BUFFER_BYTES = 32 * 1024
PIECE_BYTES = 64 * 1024
POLL_SECONDS = 0.02


@dataclasses.dataclass
class Path:
    """
    latency_s:     each way, added to every piece
    bytes_per_s:   each way and connection; 0 is unlimited
    slice_bytes:   at most so many bytes in one send; 0 is as they come
    reset_after_s: (a, b): every connection is reset after a random time in between; None: never
    hold:          "up", "down", "both" or "": bytes of that way wait (a partition)
    swallow:       "up", "down", "both" or "": they are read and thrown away (a dead middle-box)
    corrupt_every: one bit is changed in about every so many bytes; 0: never
    refuse:        new connections are reset at once
    """
    latency_s: float = 0.0
    bytes_per_s: float = 0
    slice_bytes: int = 0
    reset_after_s: tuple = None
    hold: str = ""
    swallow: str = ""
    corrupt_every: int = 0
    refuse: bool = False

    def stops(self, what, way):
        return what in (way, "both")


class TcpProxy:
    def __init__(self, target_port, port=0, seed=0, host="127.0.0.1"):
        self.target_port, self.host = target_port, host
        self.path = Path()
        self.rng = random.Random(seed)
        # "taken": read from the sender; "up" and "down": what reached the other side.
        self.counts = {"up": 0, "down": 0, "taken_up": 0, "taken_down": 0,
                       "connections": 0, "resets": 0, "corrupted": 0, "swallowed": 0, "half_closed": 0}
        self.connections = set()
        self.orphans = []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self.listener.bind((host, port))
        self.listener.listen(1024)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)

    # --- from outside ----------------------------------------------------------------------------
    def start(self):
        self.thread.start()
        return self

    def stop(self):
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(10)
        self.listener.close()

    def reset_all(self):
        """RST to both sides of every connection, now; how many there were."""
        return self._ask(self._reset_all)

    def half_close(self, way):
        """FIN in one direction of every connection; the other stays open."""
        return self._ask(lambda: self._half_close(way))

    def orphan_all(self, who="servers"):
        """RST towards the other side only: the servers (or the "clients") go on believing in their
        connections, and hear nothing any more."""
        return self._ask(lambda: self._orphan_all(who))

    def drop_orphans(self):
        return self._ask(self._drop_orphans)

    def _ask(self, what):
        done = threading.Event()
        box = []

        def call():
            box.append(what())
            done.set()
        self.loop.call_soon_threadsafe(call)
        assert done.wait(10), "the proxy does not answer"
        return box[0]

    # --- in the loop -----------------------------------------------------------------------------
    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.create_task(self._accept())
        self.loop.run_forever()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._drop_orphans()
        self.loop.close()

    async def _accept(self):
        while True:
            client, _ = await self.loop.sock_accept(self.listener)
            self.counts["connections"] += 1
            if self.path.refuse:
                self.counts["resets"] += 1
                reset(client)
                continue
            self.loop.create_task(self._serve(client))

    async def _serve(self, client):
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.setblocking(False)
        connection = Connection(self, client, server)
        self.connections.add(connection)
        try:
            await self.loop.sock_connect(server, (self.host, self.target_port))
            await connection.run()
        except OSError:
            connection.end(with_reset=True)
        finally:
            connection.close()
            self.connections.discard(connection)

    def _reset_all(self):
        ended = list(self.connections)
        for connection in ended:
            connection.end(with_reset=True)
        return len(ended)

    def _orphan_all(self, who):
        ended = [c for c in self.connections if c.open]
        for connection in ended:
            connection.orphan = who
            connection.end(with_reset=True)
        return len(ended)

    def _drop_orphans(self):
        for sock in self.orphans:
            sock.close()
        self.orphans = []

    def _half_close(self, way):
        for connection in list(self.connections):
            try:
                connection.ends[way][1].shutdown(socket.SHUT_WR)
                self.counts["half_closed"] += 1
            except OSError:
                pass
        return self.counts["half_closed"]


class Connection:
    """Sockets are closed only when no task waits for them: descriptors are used again at once."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.ends = {"up": (client, server), "down": (server, client)}
        self.open = True
        self.with_reset, self.orphan = False, ""
        self.under_way = {"up": 0, "down": 0}
        self.tasks = []
        self.deadline = None
        if proxy.path.reset_after_s:
            self.deadline = time.monotonic() + proxy.rng.uniform(*proxy.path.reset_after_s)

    async def run(self):
        self.tasks = [asyncio.ensure_future(self.pump(way)) for way in ("up", "down")]
        self.tasks.append(asyncio.ensure_future(self.watch()))
        try:
            await asyncio.wait(self.tasks[:2], return_when=asyncio.ALL_COMPLETED)
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

    def end(self, with_reset):
        self.open = False
        self.with_reset = self.with_reset or with_reset
        for task in self.tasks:
            task.cancel()

    def close(self):
        self.proxy.counts["resets"] += self.with_reset
        for side, sock in zip(("clients", "servers"), self.ends["up"]):
            if side == self.orphan:
                self.proxy.orphans.append(sock)
            elif self.with_reset:
                reset(sock)
            else:
                sock.close()

    async def watch(self):
        """The reset that was planned for this connection."""
        while self.deadline is None or time.monotonic() < self.deadline:
            await asyncio.sleep(POLL_SECONDS if self.deadline else 3600)
        self.end(with_reset=True)

    async def pump(self, way):
        """One direction, until its end; then FIN, as a cable would."""
        source, sink = self.ends[way]
        queue = asyncio.Queue()
        sender = asyncio.ensure_future(self.deliver(way, sink, queue))
        try:
            while self.open:
                data = await self.proxy.loop.sock_recv(source, self.room())
                if not data:
                    break
                self.proxy.counts[f"taken_{way}"] += len(data)
                self.under_way[way] += len(data)
                queue.put_nowait((time.monotonic() + self.proxy.path.latency_s, data))
                while self.open and self.under_way[way] > self.capacity():
                    await asyncio.sleep(POLL_SECONDS / 4)
            queue.put_nowait((0, b""))
            await sender
        except OSError:
            self.end(with_reset=True)  # also ends the other direction
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    def capacity(self):
        """Bytes on the way: what fits into the cable, and one piece; a fast one is not held up."""
        path = self.proxy.path
        if not path.bytes_per_s:
            return 4 << 20
        return int(path.bytes_per_s * path.latency_s) + self.room()

    def room(self):
        path = self.proxy.path
        piece = path.slice_bytes or PIECE_BYTES
        if path.bytes_per_s:  # a twentieth of a second at once, so that rates are even
            piece = min(piece, max(64, int(path.bytes_per_s / 20)))
        return piece

    async def deliver(self, way, sink, queue):
        path_of = lambda: self.proxy.path
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            while self.open and path_of().stops(path_of().hold, way):
                await asyncio.sleep(POLL_SECONDS)
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            if path_of().bytes_per_s:
                await asyncio.sleep(len(data) / path_of().bytes_per_s)
            self.under_way[way] -= len(data)
            if path_of().stops(path_of().swallow, way):
                self.proxy.counts["swallowed"] += len(data)
                continue
            await self.proxy.loop.sock_sendall(sink, self.changed(data))
            self.proxy.counts[way] += len(data)

    def changed(self, data):
        every = self.proxy.path.corrupt_every
        if not every or self.proxy.rng.random() >= len(data) / every:
            return data
        data = bytearray(data)
        data[self.proxy.rng.randrange(len(data))] ^= 1 << self.proxy.rng.randrange(8)
        self.proxy.counts["corrupted"] += 1
        return bytes(data)


def reset(sock):
    """RST instead of FIN."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    sock.close()
