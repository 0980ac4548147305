#!/usr/bin/env python3
"""A small WebSocket server that behaves as its caller asks, well or badly, for tests of our clients.

Listens on loopback ports from bind(0): one plain, and TLS ones with a good certificate, one of another
CA, one for another host, an expired one, and one that speaks TLS 1.1 at most; and CONNECT proxies of
every temper (PROXIES). Prints one line of JSON {name: port, "ca": path} and serves until its standard
input ends. What a connection does is
chosen by the request's path: see SCENARIOS.
"""
import base64, hashlib, json, os, socket, ssl, struct, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import connect_proxy  # noqa: E402
from connect_proxy import ConnectProxy  # noqa: E402

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(payload, opcode=2, fin=True):
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        head += bytes([len(payload)])
    elif len(payload) < 65536:
        head += b"\x7e" + struct.pack("!H", len(payload))
    else:
        head += b"\x7f" + struct.pack("!Q", len(payload))
    return head + payload


class Peer:
    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def exactly(self, count):
        parts, have = [self.buffer], len(self.buffer)
        while have < count:
            got = self.sock.recv(min(1 << 20, max(65536, count - have)))
            if not got:
                raise ConnectionError("end of stream")
            parts.append(got)
            have += len(got)
        whole = b"".join(parts)
        self.buffer = whole[count:]
        return whole[:count]

    def read(self):
        """One frame: (opcode, payload); masked or it is an error, as RFC 6455 has it."""
        first, second = self.exactly(2)
        if not second & 0x80:
            raise ConnectionError("the client did not mask")
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.exactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.exactly(8))
        mask, body = self.exactly(4), self.exactly(size)
        pad = (mask * (size // 4 + 1))[:size]
        plain = (int.from_bytes(body, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")
        return first & 0x0F, plain

    def send(self, *frames):
        self.sock.sendall(b"".join(frames))

    def drain(self):
        """Until the client goes, so that its view of the end is its own; answers a close."""
        while True:
            opcode, body = self.read()
            if opcode == 8:
                self.send(frame(body, 8))
                return


def echo(peer):
    while True:
        opcode, body = peer.read()
        if opcode == 8:
            peer.send(frame(body, 8))
            return
        peer.send(frame(body, opcode))


def endless(peer):
    peer.send(frame(b"x" * 1000, 2, fin=False))
    while True:
        peer.send(frame(b"x" * 1000, 0, fin=False))


def dribble(peer):
    for byte in frame(b"slow but whole"):
        peer.send(bytes([byte]))
        time.sleep(0.005)
    peer.drain()


def say(*frames):
    def run(peer):
        peer.send(*frames)
        peer.drain()

    return run


def stall(peer):
    time.sleep(30)


SCENARIOS = {
    "/echo": echo,
    "/two": say(frame(b"one"), frame(b"two")),
    "/fragments": say(frame(b"ab", 2, False), frame(b"", 0, False), frame(b"cd", 0, True)),
    "/text": say(frame(b"hello", 1)),
    "/announce-huge": say(b"\x82\x7f" + struct.pack("!Q", 1 << 40) + b"x" * 8192),
    "/endless": endless,
    "/dribble": dribble,
    "/ping": say(frame(b"are you there", 9), frame(b"after the ping")),
    "/bad-opcode": say(frame(b"x", 3)),
    "/rsv": say(bytes([0xC2, 1, 65])),
    "/close-4410": say(frame(struct.pack("!H", 4410) + b"superseded", 8)),
    "/vanish": lambda peer: None,
    "/stall": stall,
}
REFUSALS = {
    "/403": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    "/502": b"HTTP/1.1 502 Bad Gateway\r\nServer: proxy/1.0\r\nContent-Length: 0\r\n\r\n",
    "/long-name": b"HTTP/1.1 500 Sorry\r\nServer: " + b"n" * 200 + b"\r\nContent-Length: 0\r\n\r\n",
    "/503": b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n",
    "/redirect": b"HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n",
    "/garbage": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "/smtp": b"220 mail.example ESMTP\r\n",
    "/hang-up": b"",
    "/wide-header": b"HTTP/1.1 101 Switching Protocols\r\nServer: " + b"y" * 100000 + b"\r\n\r\n",
}


PROXIES = {
    "proxy": {},
    "proxy_login": {"login": ("ada", "p:@ss")},
    "proxy_refuses": {"answer": connect_proxy.REFUSE},
    "proxy_garbage": {"answer": connect_proxy.GARBAGE},
    "proxy_endless": {"answer": connect_proxy.ENDLESS},
    "proxy_mute": {"answer": connect_proxy.MUTE},
    "proxy_hangs_up": {"answer": connect_proxy.CUT},
    "proxy_dribbles": {"dribble": True},
    "proxy_cuts": {"cut_after": 60},
    "proxy_knows": {"reach": ("127.0.0.1", None)},  # every name
    "proxy_eager": {"answer": connect_proxy.OK + b"early"},
}


def read_request(peer):
    """(path, headers) of the upgrade."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += peer.exactly(1)
    lines = request.decode("latin-1").split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, _, v in (l.partition(":") for l in lines[1:])}
    return lines[0].split(" ")[1], headers


def accept_key(headers, wrong=False):
    key = hashlib.sha1(headers["sec-websocket-key"].encode() + GUID).digest()
    return base64.b64encode(b"0" * 20 if wrong else key).decode()


def upgrade(sock):
    """The server's half of a good upgrade: a Peer, past it."""
    peer = Peer(sock)
    _, headers = read_request(peer)
    sock.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n"
                  % (accept_key(headers), headers.get("sec-websocket-protocol", ""))).encode())
    return peer


def suites_of(hello):
    """The cipher suites of a ClientHello in its record, in their order, as hex (RFC 5246, 7.4.1.2)."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]  # the session's id
    (size,) = struct.unpack_from("!H", hello, at)
    return [hello[i:i + 2].hex() for i in range(at + 2, at + 2 + size, 2)]


def serve(sock, offered_suites):
    peer = Peer(sock)
    path, headers = read_request(peer)
    if path == "/silent":
        time.sleep(30)
        return
    if path in REFUSALS:
        sock.sendall(REFUSALS[path])
        return
    accept = accept_key(headers, wrong=path == "/bad-accept")
    answer = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
              "Sec-WebSocket-Accept: " + accept]
    if path != "/no-protocol":
        answer.append("Sec-WebSocket-Protocol: " + headers.get("sec-websocket-protocol", ""))
    if path == "/extension":
        answer.append("Sec-WebSocket-Extensions: permessage-deflate")
    offered = headers.get("sec-websocket-extensions", "")
    tail = b""
    if path == "/headers":  # what the client asked for, as a message
        alpn = sock.selected_alpn_protocol() if isinstance(sock, ssl.SSLSocket) else None
        version = sock.version() if isinstance(sock, ssl.SSLSocket) else None
        tail = frame(json.dumps({"extensions": offered, "host": headers.get("host"), "alpn": alpn,
                                 "tls": version, "offered": offered_suites, "origin": headers.get("origin"),
                                 "from": sock.getpeername()[0]}).encode())
    sock.sendall("\r\n".join(answer + ["", ""]).encode() + tail)
    SCENARIOS.get(path, Peer.drain)(peer)


def run(listener, context):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=handle, args=(sock, context), daemon=True).start()


def handle(sock, context):
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        suites = None
        if context:
            suites = suites_of(sock.recv(16384, socket.MSG_PEEK))
            sock = context.wrap_socket(sock, server_side=True)
        serve(sock, suites)
    except (OSError, KeyError, IndexError, ValueError, struct.error):
        pass
    finally:
        sock.close()


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_ca(directory, name):
    key, cert = (os.path.join(directory, name + ext) for ext in (".key", ".crt"))
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256",
            "-days", "2", "-subj", "/CN=" + name, "-keyout", key, "-out", cert,
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    return key, cert


def make_cert(directory, name, ca, names, days="2"):
    key, csr, cert, ext = (os.path.join(directory, name + e) for e in (".key", ".csr", ".crt", ".ext"))
    with open(ext, "w") as out:
        out.write("subjectAltName=%s\nbasicConstraints=CA:FALSE\n" % names)
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256",
            "-subj", "/CN=" + name, "-keyout", key, "-out", csr)
    openssl("x509", "-req", "-in", csr, "-CA", ca[1], "-CAkey", ca[0], "-sha256", "-set_serial",
            str(int.from_bytes(os.urandom(8), "big")), "-days", days, "-extfile", ext, "-out", cert)
    return cert, key


def tls(pair, version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if version:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
    return context


def main():
    with tempfile.TemporaryDirectory(prefix="holdfast-ws-") as directory:
        ca, stranger = make_ca(directory, "ca"), make_ca(directory, "stranger")
        # Both kinds of name: mbedTLS 2.28 compares an address as if it were a DNS name.
        here = "DNS:localhost,DNS:127.0.0.1,IP:127.0.0.1"
        good = make_cert(directory, "good", ca, here)
        contexts = {
            "plain": None,
            "tls": tls(good),
            "tls_stranger": tls(make_cert(directory, "imposter", stranger, here)),
            "tls_other_host": tls(make_cert(directory, "other", ca, "DNS:other.example")),
            "tls_expired": tls(make_cert(directory, "old", ca, here, days="-1")),
            "tls_old_version": tls(good, ssl.TLSVersion.TLSv1_1),
        }
        out = {"ca": ca[1], "stranger_ca": stranger[1]}
        for name, context in contexts.items():
            listener = socket.create_server(("127.0.0.1", 0), backlog=64)
            out[name] = listener.getsockname()[1]
            threading.Thread(target=run, args=(listener, context), daemon=True).start()
        mute = socket.create_server(("127.0.0.1", 0), backlog=8)  # accepts, never says a word
        out["mute"] = mute.getsockname()[1]
        for name, how in PROXIES.items():
            out[name] = ConnectProxy(**how).__enter__().port
        print(json.dumps(out), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
