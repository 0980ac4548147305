"""P-256 signatures in plain integers: the tests forge what no library would sign for them.

Slow (some 5 ms a signature) and not constant-time: for tests only.
"""
import hashlib
import secrets

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)


def add(a, b):
    """Affine addition; None is the point at infinity."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(k, point):
    result = None
    while k:
        if k & 1:
            result = add(result, point)
        point = add(point, point)
        k >>= 1
    return result


class Key:
    def __init__(self, secret=None):
        self.secret = int.from_bytes(secret, "big") if secret else secrets.randbelow(N - 1) + 1
        x, y = multiply(self.secret, G)
        self.public = b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
        self.key_id = hashlib.sha256(self.public).digest()

    def sign(self, digest, high_s=False):
        k = secrets.randbelow(N - 1) + 1
        r = multiply(k, G)[0] % N
        s = pow(k, -1, N) * (int.from_bytes(digest, "big") + r * self.secret) % N
        if (s > N // 2) != high_s:
            s = N - s
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
