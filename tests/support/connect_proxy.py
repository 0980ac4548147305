#!/usr/bin/env python3
"""A small HTTP CONNECT proxy that does as it is told, well or badly, for tests of our clients.

    with ConnectProxy(login=("ada", "s3cret"), answer=connect_proxy.REFUSE) as proxy: ... proxy.port

asked: every (host, port, Proxy-Authorization or None) that it was asked for. reach: (host, port) that it connects to
instead of what it was asked for (a name that only the proxy knows); port None: the one asked for.
"""
import base64, socket, threading, time

OK = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"
REFUSE = b"HTTP/1.1 403 Not by me\r\nContent-Length: 0\r\n\r\n"
NEED_LOGIN = (b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=test\r\n"
              b"Content-Length: 0\r\n\r\n")
GARBAGE = b"SSH-2.0-OpenSSH_9.2\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100000
MUTE = None  # takes the request and says nothing
CUT = b""    # takes the request and hangs up


class ConnectProxy:
    def __init__(self, answer=OK, login=None, dribble=False, cut_after=None, reach=None):
        """cut_after: hang up after so many bytes from the server; dribble: the answer byte by byte."""
        self.answer, self.login, self.dribble = answer, login, dribble
        self.cut_after, self.reach = cut_after, reach
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.guarded, args=(sock,), daemon=True).start()

    def guarded(self, sock):
        try:
            self.serve(sock)
        except (OSError, ValueError, IndexError):
            pass
        finally:
            sock.close()

    def serve(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = b""
        while b"\r\n\r\n" not in request:
            piece = sock.recv(1)
            if not piece:
                return
            request += piece
        lines = request.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        host, _, port = target.rpartition(":")
        login = headers.get("proxy-authorization")
        self.asked.append((host, int(port), login))
        if method != "CONNECT":
            return sock.sendall(REFUSE)
        if self.login and login != "Basic " + base64.b64encode(":".join(self.login).encode()).decode():
            return sock.sendall(NEED_LOGIN)
        if self.answer is MUTE:
            return time.sleep(30)
        if self.answer != OK:
            return sock.sendall(self.answer)
        to_host, to_port = self.reach or (host, int(port))
        with socket.create_connection((to_host, to_port or int(port)), timeout=10) as server:
            server.settimeout(None)
            for piece in ([bytes([b]) for b in OK] if self.dribble else [OK]):
                sock.sendall(piece)
                if self.dribble:
                    time.sleep(0.002)
            back = threading.Thread(target=self.pump, args=(sock, server), daemon=True)
            back.start()
            self.pump(server, sock, self.cut_after)
            for end in (server, sock):
                end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def pump(source, sink, limit=None):
        moved = 0
        try:
            while limit is None or moved < limit:
                piece = source.recv(65536 if limit is None else min(65536, limit - moved))
                if not piece:
                    break
                sink.sendall(piece)
                moved += len(piece)
            if limit is None:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
