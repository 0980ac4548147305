"""Bundles and state directories of agents that meet no real backend, for tests and measurements."""
import base64, pathlib, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from mini_gateway import field  # noqa: E402

FLEET_ID, FLEET_NAME, SERVERS, CA, POLICY, TOKEN = 1, 2, 3, 4, 5, 6


def members(data):
    """[(number, value)] of one protobuf message of byte strings and varints, in order."""
    out, at = [], 0

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
            out.append((tag >> 3, number()))
        else:
            size = number()
            out.append((tag >> 3, data[at:at + size]))
            at += size
    return out


def make_fleet(bin_dir, fleet, url="wss://127.0.0.1:1"):
    subprocess.run([bin_dir / "holdfast", "init", "--dir", fleet, "--server", url], check=True,
                   stdout=subprocess.DEVNULL)


def bundle_text(fleet, url):
    """A bundle as `holdfast enrol token` prints it, with a token that the mini gateway takes."""
    lines = (fleet / "fleet.toml").read_text().splitlines()
    fleet_id = next(line.split('"')[1] for line in lines if line.startswith("id"))
    policy = (fleet / "server/policy.env").read_bytes()
    ca = (fleet / "server/tls/ca.crt").read_bytes()
    body = (field(FLEET_ID, bytes.fromhex(fleet_id)) + field(FLEET_NAME, b"test") +
            field(SERVERS, url.encode()) + field(CA, ca) + field(POLICY, policy) +
            field(TOKEN, b"t" * 43))
    text = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
    lines = [text[i:i + 76] for i in range(0, len(text), 76)]
    return "\n".join(["-----BEGIN HOLDFAST BUNDLE-----", *lines, "-----END HOLDFAST BUNDLE-----", ""])


def point_at(state, *servers, ca=None):
    """Gives the agent in `state` other servers (and another CA): neither is signed."""
    path = pathlib.Path(state) / "bundle.pb"
    kept = [(n, v) for n, v in members(path.read_bytes())
            if n != SERVERS and not (n == CA and ca is not None)]
    kept += [(SERVERS, s.encode()) for s in servers]
    if ca is not None:
        kept.append((CA, ca))
    path.write_bytes(b"".join(field(n, v) for n, v in kept))
