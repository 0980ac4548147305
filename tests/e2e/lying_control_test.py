#!/usr/bin/env python3
"""A control in other hands: it serves the fleet's operators and agents, under a policy with roots of its own."""
import shutil

from harness import p256, wire
from harness.case import StackTest, main
from harness.forge import Forger, envelope
from harness.stack import Agent, set_key

POLICY_TYPE = b"holdfast.policy.v1"
ROOT_KEYS, THRESHOLD, ISSUERS = 5, 6, 7  # fields of holdfast.command.v1.Policy


class LyingControlTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.enrolled = cls.stack.add_agent("enrolled", start=False)
        cls.honest = cls.stack.fleet / "server/policy.env"
        root, issuer = p256.Key(), p256.Key()
        fields = wire.decode(wire.field(Forger.read_envelope(cls.honest), 2))
        # The real issuer stays, so that operators notice nothing; the other one's certificates hold too.
        fields = [f for f in fields if f[0] not in (ROOT_KEYS, THRESHOLD)]
        fields += [(ROOT_KEYS, root.public), (THRESHOLD, 1), (ISSUERS, issuer.public)]
        cls.hostile = cls.stack.fleet / "server/hostile.env"
        cls.hostile.write_bytes(envelope(root, POLICY_TYPE, wire.encode(sorted(fields, key=lambda f: f[0]))))
        config = cls.stack.fleet / "server/holdfastd.toml"
        cls.stack.stop_backend()
        config.write_text(set_key(config.read_text(), "fleet", "policy", cls.hostile.name))
        cls.stack.start()

    def test_its_roots_get_into_no_bundle(self):
        self.assertIn(self.enrolled.id, self.stack.agent_rows())  # the operator is let in as always
        said = self.stack.holdfast("enrol", "token", output=None, expect=4)
        self.assertEqual(said.out, b"", said)
        self.assertIn(str(self.honest), said.err)
        self.assertIn("must not be trusted", said.err)

    def test_an_enrolled_agent_takes_its_roots_from_no_bundle(self):
        # An analyst who took the backend's word for it.
        deceived = self.stack.dir / "deceived"
        shutil.copytree(self.stack.fleet, deceived, ignore=shutil.ignore_patterns("state"))
        shutil.copy(self.hostile, deceived / "server/policy.env")
        bundle = self.stack.dir / "hostile.bundle"
        bundle.write_bytes(self.stack.run("holdfast", "--dir", deceived, "enrol", "token", "--uses", "2").out)
        before = (self.enrolled.state / "bundle.pb").read_bytes()
        said = self.enrolled.enrol(bundle, expect=None)
        self.assertNotEqual(said.status, 0, said)
        self.assertIn("unenrol", said.err)
        self.assertEqual((self.enrolled.state / "bundle.pb").read_bytes(), before)
        Agent(self.stack, "new").enrol(bundle)  # the control: the bundle is good for a stranger


if __name__ == "__main__":
    main()
