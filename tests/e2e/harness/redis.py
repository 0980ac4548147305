"""A Redis client of thirty lines: the tests do to Redis what an intruder on it could."""
import socket


class Redis:
    def __init__(self, place):
        """`place`: a path, or (host, port)."""
        if isinstance(place, tuple):
            self.socket = socket.create_connection(place, timeout=10)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(10)
            self.socket.connect(str(place))
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(words) +
                            b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))

    def read(self):
        line = self.file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        raise RuntimeError(f"not a reply: {line!r}")

    def call(self, *words):
        self.send(*words)
        return self.read()

    def pipeline(self, commands):
        for words in commands:
            self.send(*words)
        return [self.read() for _ in commands]
