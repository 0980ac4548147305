"""A gateway as small as can be, for tests and measurements of the agent alone: greets, beats, no commands.

    with MiniGateway(cert, key) as gateway: ... wss://127.0.0.1:gateway.port
Takes whoever can write a Hello; verifies nothing. tests/support/ws_server.py has the WebSocket.
"""
import os, socket, ssl, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ws_server  # noqa: E402


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(data):
    """{number: last value} of one protobuf message of varints and byte strings."""
    out, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            out[tag >> 3] = number()
        else:
            size = number()
            out[tag >> 3] = data[at:at + size]
            at += size
    return out


def message(member, body, epoch=0):
    """A LinkMessage of one frame: `member` is the number in Frame's oneof."""
    return field(1, epoch) + field(2, field(member, body))


class MiniGateway:
    def __init__(self, cert=None, key=None, server_name="127.0.0.1", idle_s=60, busy_s=25,
                 clock_offset_s=0):
        self.context = ws_server.tls((cert, key)) if cert else None
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.name, self.idle_s, self.busy_s = server_name, idle_s, busy_s
        self.clock_offset_s = clock_offset_s
        self.hellos = 0
        self.online = threading.Semaphore(0)  # released at each Welcome
        self.beats = 0

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
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            self.link(ws_server.upgrade(sock))
        except (OSError, KeyError, IndexError, ValueError, ssl.SSLError):
            pass
        finally:
            sock.close()

    def link(self, peer):
        clock_ms = int((time.time() + self.clock_offset_s) * 1000)
        challenge = (field(1, 1) + field(2, os.urandom(32)) + field(3, self.name.encode()) +
                     field(4, clock_ms))
        peer.send(ws_server.frame(message(1, challenge)))
        opcode, body = peer.read()
        if opcode == 8:
            peer.send(ws_server.frame(body, 8))
            return
        self.hellos += 1
        envelope = fields(fields(fields(body)[2])[2])[1]   # LinkMessage.Frame.Hello.envelope
        epoch = fields(fields(envelope)[2])[7]              # Envelope.payload: AgentHello.conn_epoch
        welcome = field(1, epoch) + field(2, os.urandom(16)) + field(4, self.idle_s) + field(5, self.busy_s)
        peer.send(ws_server.frame(message(3, welcome, epoch)))
        self.online.release()
        while True:
            opcode, body = peer.read()
            if opcode == 8:
                peer.send(ws_server.frame(body, 8))
                return
            if 6 in fields(fields(body).get(2, b"")):
                self.beats += 1
                peer.send(ws_server.frame(message(6, field(1, 1), epoch)))
