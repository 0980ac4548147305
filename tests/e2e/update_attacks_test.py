#!/usr/bin/env python3
"""The attacks that TUF names (theupdateframework.io, "Attacks"), by a hostile backend against a real agent.

The attacker is the backend: it puts what it likes into the stream to the gateway, commands and content. It even holds an operator's
key, so that a command can be wrong in its papers alone. What it lacks is what no server has: as many update keys, or roots, as are due.
Afterwards a good update goes through the same hands: the path works, and the agent was none the worse.
"""
import hashlib
import os
import re
import time

from harness import p256, wire
from harness.case import StackTest, main
from harness.forge import Forger, digest, unbase64
from harness.procs import wait_for
from harness.releases import ARCH, add_kept, version_of, versioned

ROOT_TYPE, RELEASE_TYPE, COMMAND_TYPE = b"holdfast.updateroot.v1", b"holdfast.release.v1", b"holdfast.command.v1"
DAY_MS = 24 * 3_600_000
REFUSED_CONTENT, BLOB_CORRUPT, WALL_LIMIT = 50, 46, 40


def signed(keys, kind, payload):
    sigs = [(3, wire.encode([(1, key.key_id), (2, key.sign(digest(kind, payload)))])) for key in keys]
    return wire.encode([(1, kind), (2, payload), *sigs])


class UpdateAttacksTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.agent = add_kept(cls.stack, "a")
        cls.agent_id = bytes.fromhex(cls.agent.id)
        cls.forger = Forger(cls.stack.fleet)
        cls.roots = [p256.Key(unbase64((cls.stack.fleet / f"offline/root-{n}.key").read_text().split()[2]))
                     for n in (1, 2, 3)]
        cls.keys = [p256.Key() for _ in range(3)]
        cls.program = versioned(cls.stack.dir / "agent-0.2.0", "0.2.0").read_bytes()

    def setUp(self):
        self.redis = self.stack.redis()
        self.addCleanup(self.redis.close)
        (self.stream,) = [k for k in self.redis.call("KEYS", "hf:{g.*}:in")]

    # --- papers, good but for what a test says ---
    def root(self, keys=None, threshold=2, version=1, expires=None, by=None, fleet=None):
        payload = wire.encode([(1, fleet or self.forger.fleet), (2, version),
                               *((3, key.public) for key in keys or self.keys), (4, threshold),
                               (5, expires or int(time.time() * 1000) + DAY_MS)])
        return signed(by or self.roots[:2], ROOT_TYPE, payload)

    def release(self, program=None, version="0.2.0", arch=ARCH, floor=None, expires=None, by=None):
        program = self.program if program is None else program
        file = wire.encode([(1, arch.encode()), (2, hashlib.sha256(program).digest()), (3, len(program))])
        payload = wire.encode([(1, version.encode()), *([(2, floor.encode())] if floor else []),
                               (3, expires or int(time.time() * 1000) + DAY_MS), (4, file)])
        return signed(by or self.keys[:2], RELEASE_TYPE, payload)

    def command(self, root=None, release=None, blob=None, wall_ms=0, key=None):
        """(digest, envelope)"""
        blob = self.program if blob is None else blob
        args = wire.encode([(1, root or self.root()), (2, release or self.release()), (4, 1000), (5, 20000)])
        now = int(time.time() * 1000)
        payload = wire.encode([
            (1, self.forger.fleet), (2, os.urandom(16)), (3, b"update"), (4, wire.encode([(1, self.agent_id)])),
            (5, now), (6, now + DAY_MS // 48), (7, self.forger.serial),
            *([(8, wire.encode([(1, wall_ms)]))] if wall_ms else []), (9, 1),
            (10, wire.encode([(1, hashlib.sha256(blob).digest()), (2, len(blob))])), (42, args)])
        return digest(COMMAND_TYPE, payload), signed([key or self.forger.key], COMMAND_TYPE, payload)

    # --- the backend's hands ---
    def put(self, *frames):
        self.redis.pipeline([("XADD", self.stream, "*", "m", wire.encode(
            [(1, b"intruder.c0.00000000"), (2, wire.encode([(1, self.agent_id), (2, frame)]))])) for frame in frames])

    def send(self, envelope):
        self.put(wire.encode([(7, wire.encode([(1, envelope), (2, self.forger.cert)]))]))

    def content(self, name, sha256, offset, data):
        self.put(wire.encode([(12, wire.encode([(1, name), (2, sha256), *([(3, offset)] if offset else []), (4, data)]))]))

    def said(self, name, seconds=30):
        """How the agent's log says that a command ended: (failure, message)."""
        pattern = rf"command_ended.* digest={name.hex()} .*failure=(\d+) .*message=\"?(.*)"
        found = wait_for(lambda: re.search(pattern, self.agent.log.read_text(errors="replace")), seconds,
                         lambda: f"no end of {name.hex()}\n{self.stack.logs()}")
        return int(found.group(1)), found.group(2)

    def refused(self, words, failure=REFUSED_CONTENT, **papers):
        name, envelope = self.command(**papers)
        self.send(envelope)
        self.assert_refused(name, words, failure)

    def assert_refused(self, name, words, failure):
        number, message = self.said(name)
        self.assertEqual(number, failure, message)
        self.assertIn(words, message)
        self.assertEqual(version_of(self.stack, self.agent), "0.1.0")
        programs = self.agent.state / "programs"
        self.assertEqual(list(programs.iterdir()) if programs.exists() else [], [])

    # --- the attacks ---
    def test_arbitrary_installation(self):
        stranger = p256.Key()
        self.refused("0 valid signatures, 2 are due", release=self.release(by=[stranger]))
        self.refused("the update root", root=self.root(keys=[stranger], threshold=1, by=[stranger]),
                     release=self.release(by=[stranger]))
        # The issuer, the operator himself, and one root of the two that are due.
        self.refused("the update root", root=self.root(by=[self.forger.key, self.roots[0]]))
        # Good papers, ordered by nobody: not an operator's, so it is dropped and nothing is said.
        name, envelope = self.command(key=self.keys[0])
        self.send(envelope)
        wait_for(lambda: f"delivery_forged" in self.agent.log.read_text() and name.hex() in self.agent.log.read_text(),
                 20, "not seen")
        self.assertNotIn(f"command_received digest={name.hex()}", self.agent.log.read_text())

    def test_rollback(self):
        self.refused("older than 0.1.0, which runs", release=self.release(version="0.0.9"))

    def test_indefinite_freeze(self):
        past = int(time.time() * 1000) - 1000
        self.refused("the release has expired", release=self.release(expires=past))
        self.refused("the update root has expired", root=self.root(expires=past))

    def test_mix_and_match(self):
        # The command names another release's program than the release that it carries.
        self.refused("does not name the program", blob=b"another release's program")
        # A release that other keys than this root's signed, each good where it belongs.
        others = [p256.Key(), p256.Key()]
        self.refused("0 valid signatures", release=self.release(by=others))
        self.refused("of another fleet", root=self.root(fleet=os.urandom(16)))

    def test_wrong_software(self):
        self.refused(f"has no program for {ARCH}", release=self.release(arch="sparc"))

    def test_endless_data(self):
        program = os.urandom(1_000_000)
        name, envelope = self.command(release=self.release(program=program), blob=program, wall_ms=4000)
        self.send(envelope)
        sha256 = hashlib.sha256(program).digest()
        spool = self.agent.state / "spool"
        size = lambda: sum(p.stat().st_size for p in spool.iterdir())
        wait_for(lambda: f"digest={name.hex()}" in self.agent.log.read_text(), 20, "not received")
        before, at, chunk = size(), 0, os.urandom(150_000)
        most = 0
        for _ in range(40):
            self.content(name, sha256, at, chunk)
            at += len(chunk)
            time.sleep(0.02)
            most = max(most, size() - before)
        self.assertGreater(most, 0, "it took none of it: the attack never was")
        self.assertLessEqual(most, len(program))
        number, message = self.said(name)
        self.assertIn(number, (WALL_LIMIT, BLOB_CORRUPT), message)
        self.assertEqual(version_of(self.stack, self.agent), "0.1.0")
        wait_for(lambda: size() <= before, 10, "what came is kept")

    def test_slow_retrieval(self):
        name, envelope = self.command(wall_ms=4000)
        self.send(envelope)
        sha256 = hashlib.sha256(self.program).digest()
        for at in range(8):
            time.sleep(0.4)
            self.content(name, sha256, at, self.program[at:at + 1])
        self.assert_refused(name, "did not come within 4000 ms", WALL_LIMIT)

    def test_malicious_mirror(self):
        program = b"#!/bin/sh\necho holdfast-agent 0.2.0\n"
        virus = program.replace(b"echo", b"ehco")
        name, envelope = self.command(release=self.release(program=program), blob=program)
        self.send(envelope)
        wait_for(lambda: f"digest={name.hex()}" in self.agent.log.read_text(), 20, "not received")
        self.content(name, hashlib.sha256(program).digest(), 0, virus)
        self.assert_refused(name, "another SHA-256", BLOB_CORRUPT)

    def test_y_vulnerability_to_key_compromise(self):
        # One stolen key of two that must sign; the same key twice is one.
        self.refused("1 valid signatures, 2 are due", release=self.release(by=self.keys[:1]))
        # The thieves have two; the roots have answered with the next version. It is seen with the first command that carries it ...
        fresh = p256.Key()
        self.refused("0 valid signatures, 1 are due", root=self.root(keys=[fresh], threshold=1, version=2))
        # ... and the old root, good as its signatures are, and the thieves' release are worth nothing any more.
        self.refused("an older update root: 1, and 2 was here")
        self.agent.process.kill()
        wait_for(lambda: self.agent.starts > 1 and self.agent.running(), 20, "not started again")
        self.stack.wait_online(self.agent)
        self.refused("an older update root: 1, and 2 was here")

    def test_z_a_good_one_goes_through_the_same_hands(self):
        fresh = p256.Key()
        name, envelope = self.command(root=self.root(keys=[fresh], threshold=1, version=3),
                                      release=self.release(by=[fresh], floor="0.2.0"))
        self.send(envelope)
        wait_for(lambda: f"digest={name.hex()}" in self.agent.log.read_text(), 20, "not received")
        sha256, at = hashlib.sha256(self.program).digest(), 0
        blob = self.agent.state / f"spool/{name.hex()}.blob"
        while at < len(self.program):
            self.content(name, sha256, at, self.program[at:at + 200_000])
            at += 200_000
            # No faster than it is taken: what a gateway cannot hand on it drops.
            wait_for(lambda: at >= len(self.program) or blob.stat().st_size >= at, 20, "not taken", 0.002)
        wait_for(lambda: version_of(self.stack, self.agent) == "0.2.0", 60, self.stack.logs, 0.3)
        self.assertEqual(self.said(name)[0], 0)
        self.assertIn("floor 0.2.0", (self.agent.state / "update").read_text())


if __name__ == "__main__":
    main()
