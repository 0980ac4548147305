"""What the kernel's hashing makes of the same links: workers that listen on one port with SO_REUSEPORT.

Real sockets on loopback, no program behind them: who gets a connection is decided by the kernel's hash alone.
A link is connected, counted for the listener whose queue holds it, and closed; where it would be is remembered.
"""
import select
import socket
import struct

BATCH = 200           # connections at once, below the backlog
NO_TIME_WAIT = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class ReusePort:
    def __init__(self, workers, links):
        self.port = 0
        self.listeners = []
        for _ in range(workers):
            self.start_worker()
        self.of_link = [None] * links  # the listener that holds it
        self.connect(range(links))

    def start_worker(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        listener.listen(2 * BATCH)
        listener.setblocking(False)
        self.listeners.append(listener)

    def restart_worker(self, at):
        """The new one beside the old one, whose links then come back."""
        old = self.listeners.pop(at)
        self.start_worker()
        old.close()
        self.connect([i for i, listener in enumerate(self.of_link) if listener is old])

    def connect(self, links):
        links = list(links)
        for begin in range(0, len(links), BATCH):
            batch = links[begin:begin + BATCH]
            clients = {}
            for link in batch:
                client = socket.socket()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_TIME_WAIT)
                client.connect(("127.0.0.1", self.port))
                clients[client.getsockname()] = (client, link)
            self.take(clients)

    def take(self, clients):
        while clients:
            ready, _, _ = select.select(self.listeners, [], [], 10)
            if not ready:
                raise SystemExit("connections are in no worker's queue")
            for listener in ready:
                accepted, peer = listener.accept()
                client, link = clients.pop(peer)
                self.of_link[link] = listener
                client.close()
                accepted.close()

    def counts(self):
        return [self.of_link.count(listener) for listener in self.listeners]

    def close(self):
        for listener in self.listeners:
            listener.close()
