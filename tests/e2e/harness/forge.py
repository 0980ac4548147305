"""Commands made by hand: the real operator's key, and every way to get an envelope wrong.

Field numbers are those of proto/holdfast/command/v1, route/v1 and link/v1.
"""
import base64
import hashlib
import os
import random
import re
import time

from . import p256, wire

COMMAND_TYPE, CERT_TYPE = b"holdfast.command.v1", b"holdfast.cert.v1"
HOUR_MS = 3_600_000


def unbase64(text):
    text = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def digest(kind, payload):
    return hashlib.sha256(b"HOLDFAST-SIG-v1\0" + len(kind).to_bytes(2, "big") + kind +
                          len(payload).to_bytes(4, "big") + payload).digest()


def envelope(key, kind, payload, signed=None, high_s=False):
    """`signed`: sign these bytes instead of the payload."""
    signature = key.sign(digest(kind, payload if signed is None else signed), high_s)
    return wire.encode([(1, kind), (2, payload),
                        (3, wire.encode([(1, key.key_id), (2, signature)]))])


class Forger:
    def __init__(self, fleet_dir, operator="default"):
        words = (fleet_dir / f"operator/{operator}.key").read_text().split()
        self.key = p256.Key(unbase64(words[2]))
        self.cert = self.read_envelope(fleet_dir / f"operator/{operator}.cert")
        cert = wire.field(self.cert, 2)
        self.serial, self.fleet = wire.field(cert, 1), wire.field(cert, 8)
        policy = wire.field(self.read_envelope(fleet_dir / "server/policy.env"), 2)
        self.exec_class = next(
            wire.field(c, 1) for n, c in wire.decode(policy)
            if n == 9 and (2, b"exec") in wire.decode(c))
        self.random = random.Random(20240101)  # the same forgeries in every run

    @staticmethod
    def read_envelope(path):
        data = path.read_bytes()
        if b"-----BEGIN" in data:
            data = unbase64(b"".join(
                re.search(rb"-----BEGIN[^\n]*-----(.*?)-----END", data, re.S).group(1).split()))
        return data

    def payload(self, agent_id, argv, **other):
        """A good command; `other` replaces fields by name."""
        now = int(time.time() * 1000)
        fields = {"fleet": (1, self.fleet), "command_id": (2, os.urandom(16)),
                  "class_id": (3, self.exec_class),
                  "target": (4, wire.encode([(1, agent_id)])),
                  "issued": (5, now), "not_after": (6, now + HOUR_MS // 2),
                  "serial": (7, self.serial),
                  "verb": (27, wire.encode([(1, word) for word in argv]))}
        for name, value in other.items():
            fields[name] = (fields[name][0], value)
        return wire.encode(fields.values())

    def signed(self, agent_id, argv, **other):
        return envelope(self.key, COMMAND_TYPE, self.payload(agent_id, argv, **other))

    def flip(self, data):
        """One bit, anywhere."""
        out = bytearray(data)
        out[self.random.randrange(len(out))] ^= 1 << self.random.randrange(8)
        return bytes(out)

    def entry(self, agent_id, command, cert):
        """What control would add to a gateway's stream."""
        frame = wire.encode([(7, wire.encode([(1, command), (2, cert)]))])
        return wire.encode([(1, b"intruder.c0.00000000"),
                            (2, wire.encode([(1, agent_id), (2, frame)]))])

    def wrong_one_way_each(self, agent_id, other_agent, argv):
        """[(name, envelope, cert)]: well formed, and each wrong in exactly one way."""
        now = int(time.time() * 1000)
        stranger = p256.Key()
        good = self.payload(agent_id, argv)
        cert = wire.decode(wire.field(self.cert, 2))
        own_cert = envelope(stranger, CERT_TYPE, wire.encode(
            [(n, stranger.public if n == 3 else stranger.key_id if n == 7 else v) for n, v in cert]))
        spliced_cert = wire.encode([(1, CERT_TYPE), (2, wire.field(own_cert, 2)),
                                    (3, wire.field(self.cert, 3))])
        make = lambda **other: self.signed(agent_id, argv, **other)
        return [
            ("signed by a stranger", envelope(stranger, COMMAND_TYPE, good), self.cert),
            ("a stranger with a certificate of his own", envelope(stranger, COMMAND_TYPE, good),
             own_cert),
            ("a certificate with a signature of another", envelope(stranger, COMMAND_TYPE, good),
             spliced_cert),
            ("signature of other bytes", envelope(
                self.key, COMMAND_TYPE, good, signed=self.payload(agent_id, ["true"])), self.cert),
            ("high s", envelope(self.key, COMMAND_TYPE, good, high_s=True), self.cert),
            ("no signature", wire.encode([(1, COMMAND_TYPE), (2, good)]), self.cert),
            ("no certificate", make(), b""),
            ("the envelope as certificate", make(), make()),
            ("another type under the same signature", wire.encode(
                [(1, CERT_TYPE), *wire.decode(make())[1:]]), self.cert),
            ("another fleet", make(fleet=os.urandom(16)), self.cert),
            ("another agent", make(target=wire.encode([(1, other_agent)])), self.cert),
            ("no target", make(target=b""), self.cert),
            ("expired", make(issued=now - 2000, not_after=now - 1000), self.cert),
            ("from the future", make(issued=now + HOUR_MS, not_after=now + 2 * HOUR_MS), self.cert),
            ("before the agent's birth", make(issued=now - HOUR_MS, not_after=now + HOUR_MS // 2),
             self.cert),
            ("valid for a year", make(not_after=now + 365 * 24 * HOUR_MS), self.cert),
            ("another operator's serial", make(serial=os.urandom(16)), self.cert),
            ("a class that does not exist", make(class_id=b"everything"), self.cert),
            ("a field twice", envelope(self.key, COMMAND_TYPE, good + wire.encode(
                [(2, os.urandom(16))])), self.cert),
            ("an unknown field", envelope(self.key, COMMAND_TYPE, good + wire.encode([(99, 1)])),
             self.cert),
            ("two verbs", envelope(self.key, COMMAND_TYPE, good + wire.encode(
                [(28, b"")])), self.cert),
        ]
