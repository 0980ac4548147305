#!/usr/bin/env python3
"""docs/operations/certificates.md is true: the lifetimes in its table are those of what `holdfast init` makes, its commands
renew the server's certificate under agents that stay linked, and a machine whose clock is behind is told so.
"""
import datetime
import os
import re
import shutil
import struct
import subprocess

from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import BIN, ROOT, Agent

NAMES = ("server.crt", "server.key")
PAGE = ROOT / "docs/operations/certificates.md"


class CertificatesTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    def openssl(self, *words):
        return subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=True).stdout

    def days(self, certificate):
        """It lives, from when it was made: it is valid since a day earlier."""
        said = self.openssl("x509", "-in", certificate, "-noout", "-dates")
        begin, end = (datetime.datetime.strptime(line.split("=")[1], "%b %d %H:%M:%S %Y %Z") for line in said.splitlines())
        return (end - begin).days - 1

    def test_certificates_live_as_long_as_the_page_says(self):
        page = PAGE.read_text()
        fleet = self.stack.fleet
        for file, row in ((fleet / "server/tls/ca.crt", "TLS CA"), (fleet / "server/tls/server.crt", "TLS server")):
            (line,) = [line for line in page.splitlines() if line.startswith(f"| {row} |")]
            self.assertIn(f"{self.days(file):,} days", line)
        (line,) = [line for line in page.splitlines() if line.startswith("| policy |")]
        self.assertIn(f"{5 * 365:,} days", line)
        said = self.stack.run("holdfast-agent", "doctor", "--state", self.agent.state, expect=None).text
        until = datetime.datetime.fromisoformat(re.search(r"valid until (\S+)", said)[1])
        self.assertEqual((until - datetime.datetime.now()).days + 1, 5 * 365)
        rows = self.stack.holdfast("operator", "list").json()
        left = datetime.datetime.fromisoformat(rows[0]["valid_until"].replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
        self.assertLess(abs(left.total_seconds() - 12 * 3600), 600)

    def renew(self, work, env=None):
        """By the page's own commands, in a copy of the fleet's directory as it is where tls/ca.key is."""
        block = re.search(r"## Renewing the server's certificate.*?```\n(.*?)```", PAGE.read_text(), re.S)[1]
        for folder in ("tls", "server/tls"):
            shutil.copytree(self.stack.fleet / folder, work / folder)
        script = block.replace("DNS:HOST", "DNS:127.0.0.1,IP:127.0.0.1").replace("HOST", "127.0.0.1")
        subprocess.run(["sh", "-e", "-c", script], cwd=work, check=True, capture_output=True, env=env)

    def test_the_pages_commands_renew_the_servers_certificate(self):
        work = self.stack.dir / "renew"
        self.renew(work)
        self.assertEqual(self.days(work / "server.crt"), 825 - 1)  # from now on, not from yesterday
        links = self.stack.metrics()["holdfast_links_opened_total"]
        for name in NAMES:
            shutil.copyfile(work / name, self.stack.fleet / "server/tls" / name)
        said = self.stack.run("holdfastd", "reload", "--dir", self.stack.fleet).text
        self.assertIn("changed: the certificate", said)
        self.assertEqual(self.stack.metrics()["holdfast_links_opened_total"], links)  # nobody was cut
        self.agent.stop()
        self.agent.start()
        self.stack.wait_online(self.agent)
        for named in ((), ("-servername", "127.0.0.1"), ("-servername", "localhost")):  # as agents do, and as some do not
            with self.subTest(named=named):
                served = subprocess.run(["openssl", "s_client", *named, "-connect", f"127.0.0.1:{self.stack.agent_port}"],
                                        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
                pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", served, re.S)[0]
                self.assertEqual(pem, (work / "server.crt").read_text().strip())

    def test_a_pair_that_does_not_fit_is_refused(self):
        place = self.stack.fleet / "server/tls/server.key"
        before = place.read_text()
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", place)
        try:
            self.assertEqual(self.stack.run("holdfastd", "reload", "--dir", self.stack.fleet, expect=1).text, "")
        finally:
            place.write_text(before)
        wait_for(lambda: self.stack.agent_rows()[self.agent.id]["online"], 10, self.stack.logs)

    def test_a_clock_that_is_behind_is_named_and_all_is_well_once_it_is_right(self):
        """A board without a clock of its own says 1970 until it has the time from somewhere. To it our certificate is what one
        of next year is to this machine: not valid yet.
        """
        clock, work, served = self.stack.dir / "clock", self.stack.dir / "ahead", self.stack.fleet / "server/tls"
        clock.write_bytes(struct.pack("qq", 400 * 86400 * 1000, 0))
        ahead = os.environ | {"LD_PRELOAD": str(BIN / "libclock_shim.so"), "HF_CLOCK_FILE": str(clock)}
        before = {name: (served / name).read_bytes() for name in NAMES}
        board, bundle = Agent(self.stack, "board"), self.stack.bundle("--uses", "2")
        self.renew(work, ahead)
        try:
            for name in NAMES:
                shutil.copyfile(work / name, served / name)
            links = self.stack.metrics()["holdfast_links_opened_total"]
            self.stack.run("holdfastd", "reload", "--dir", self.stack.fleet)
            said = board.enrol(bundle, expect=None, more=("--timeout", "10"))
            self.assertNotEqual(said.status, 0, said)
            self.assertIn("the certificate is not valid yet", said.err)
            self.assertFalse((board.state / "enrolled").exists())
            found = self.stack.run("holdfast-agent", "doctor", "--state", board.state, expect=1).text
            self.assertRegex(found, r"(?m)^  tls +FAIL .*not valid yet\n +Compare this machine's clock with a good one")
            self.assertEqual(self.stack.metrics()["holdfast_links_opened_total"], links)  # nobody was cut
        finally:
            for name, data in before.items():
                (served / name).write_bytes(data)
            self.stack.run("holdfastd", "reload", "--dir", self.stack.fleet)
        board.enrol(bundle)


if __name__ == "__main__":
    main()
