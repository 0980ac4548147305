#!/usr/bin/env python3
"""TLS tickets are good at any gateway of the host, also at one that was started later; a bad one costs a full handshake only."""
import subprocess

from harness import procs
from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import BIN

AGENTS = 40


class ResumptionTest(StackTest):
    gateways = 2

    @classmethod
    def set_up_agents(cls):
        cls.token = cls.stack.bundle("--uses", str(AGENTS))
        cls.session = cls.stack.dir / "session.pem"

    def dial(self, *more):
        """What OpenSSL's client says of the session: "New" or "Reused"."""
        said = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.stack.agent_port}", "-CAfile",
                               self.stack.fleet / "server/tls/ca.crt", "-servername", "localhost", "-ign_eof", *more],
                              input=b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", capture_output=True, timeout=60)
        words = [line.split(",")[0] for line in said.stdout.decode(errors="replace").splitlines()]
        if not any(word in ("New", "Reused") for word in words):
            self.fail(said.stderr.decode() + said.stdout.decode())
        return next(word for word in words if word in ("New", "Reused"))

    def take_ticket(self):
        self.session.unlink(missing_ok=True)
        self.assertEqual(self.dial("-tls1_3", "-sess_out", self.session), "New")
        self.assertTrue(self.session.exists(), "no ticket came")

    def restart_gateways(self):
        old = {p.pid for p in self.stack.processes("gateway")}
        for process in self.stack.processes("gateway"):
            subprocess.run(["kill", "-9", str(process.pid)], check=True)
        wait_for(lambda: len({p.pid for p in self.stack.processes("gateway")} - old) == self.gateways, 60,
                 lambda: "the gateways did not come back")

    def test_a_ticket_of_a_killed_gateway_is_good_at_others(self):
        self.take_ticket()
        self.assertEqual(self.dial("-tls1_3", "-sess_in", self.session), "Reused")
        self.restart_gateways()
        self.assertEqual(self.dial("-tls1_3", "-sess_in", self.session), "Reused")

    def test_a_ticket_is_good_after_a_rolling_restart(self):
        self.take_ticket()
        old = {p.pid for p in self.stack.processes("gateway")}
        self.stack.run("holdfastd", "--dir", self.stack.fleet, "roll", timeout=120)
        self.assertFalse(old & {p.pid for p in self.stack.processes("gateway")})
        self.assertEqual(self.dial("-tls1_3", "-sess_in", self.session), "Reused")

    def test_the_next_supervisor_has_other_keys_and_gives_them_to_those_it_adopts(self):
        self.take_ticket()
        old = {p.pid for p in self.stack.processes("gateway")}
        self.stack.backend.kill()
        self.stack.backend.wait()
        self.stack.start()
        self.assertEqual({p.pid for p in self.stack.processes("gateway")}, old)
        self.assertEqual(self.dial("-tls1_3", "-sess_in", self.session), "New")
        self.take_ticket()
        self.assertEqual(self.dial("-tls1_3", "-sess_in", self.session), "Reused")

    def test_a_ticket_that_was_changed_costs_a_full_handshake(self):
        self.take_ticket()
        der = subprocess.run(["openssl", "sess_id", "-in", self.session, "-outform", "DER"], check=True,
                             capture_output=True).stdout
        items = subprocess.run(["openssl", "asn1parse", "-inform", "DER"], input=der, check=True,
                               capture_output=True).stdout.decode().splitlines()
        at = next(i for i, item in enumerate(items) if "cont [ 10 ]" in item)
        changed = bytearray(der)
        changed[int(items[at + 1].split(":")[0]) + 60] ^= 1  # behind the key's name and the IV
        pem = subprocess.run(["openssl", "sess_id", "-inform", "DER", "-outform", "PEM"], input=bytes(changed), check=True,
                             capture_output=True).stdout
        self.session.write_bytes(pem)
        self.assertEqual(self.dial("-tls1_3", "-sess_in", self.session), "New")

    def test_tls_12_gets_no_ticket_that_brings_its_old_secret_back(self):
        self.session.unlink(missing_ok=True)
        self.assertEqual(self.dial("-tls1_2", "-sess_out", self.session), "New")
        if self.session.exists():
            self.assertEqual(self.dial("-tls1_2", "-sess_in", self.session), "New")

    def test_agents_of_killed_gateways_come_back_resumed(self):
        fleet = subprocess.Popen([BIN / "holdfast-fleet", "--bundle", self.token, "--agents", str(AGENTS), "--ramp", "80"],
                                 env=self.stack.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 preexec_fn=procs.end_with_parent)
        self.addCleanup(fleet.wait)
        self.addCleanup(fleet.terminate)

        def all_online():
            wait_for(lambda: self.stack.metrics().get("holdfast_links") == AGENTS, 60,
                     lambda: f"{self.stack.metrics().get('holdfast_links')} links")

        all_online()
        self.restart_gateways()
        all_online()
        # A new process counts from 0.
        metrics = self.stack.metrics()
        self.assertEqual((metrics["holdfast_tls_full_total"], metrics["holdfast_tls_resumed_total"]), (0, AGENTS))


if __name__ == "__main__":
    main()
