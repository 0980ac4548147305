"""SystemCase: the packages of this build in a fresh system, and what every test does with them."""
import json
import os
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from system import System, base_tree  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "build/packages"
CACHE = PACKAGES / "systems"
VERSION = os.environ["HOLDFAST_VERSION"]
NEXT = VERSION + ".1"
AGENT = "holdfast-agent_{}_amd64.deb"
YARA = f"holdfast-agent-yara_{VERSION}_amd64.deb"
YARA_RPM = f"holdfast-agent-yara-{VERSION}-1.x86_64.rpm"
BACKEND = f"holdfast-backend_{VERSION}_amd64.deb"
FLEET = "/var/lib/holdfast/fleet"
HOLDFAST = f"runuser -u holdfast -- holdfast --dir {FLEET}"


class SystemCase(unittest.TestCase):
    """A fresh system with the packages in /root, and the steps that tests take in it."""
    suite = "bookworm"
    machine = System
    packages = (AGENT.format(VERSION), AGENT.format(NEXT), BACKEND, f"holdfast-agent-{VERSION}-amd64.tar.gz")

    @classmethod
    def setUpClass(cls):
        cls.base = base_tree(CACHE, cls.suite)

    def setUp(self):
        self.system = self.machine(self.base)
        self.addCleanup(self.system.close)
        for name in self.packages:
            self.system.give(PACKAGES / name, f"/root/{name}")

    # --- steps ------------------------------------------------------------------------------------
    def backend(self, start=True):
        said = self.system.run(f"dpkg -i /root/{BACKEND}")
        self.assertIn("Holdfast has no fleet yet", said)  # and what to do about it
        self.system.run(f"{HOLDFAST} init --server wss://localhost:8443")
        if start:
            self.start_backend()

    def start_backend(self, fleet=FLEET):
        daemon = self.system.begin(f"exec runuser -u holdfast -- holdfastd --dir {fleet} 2>>/var/log/holdfastd.log")
        self.addCleanup(lambda: (daemon.kill(), daemon.wait(20)))
        self.system.until(f"ls {fleet}/server/state/run/ready", 30, "the backend is not ready")

    def stop_backend(self, fleet=FLEET):
        self.system.run(f"kill $(sed -n 's/^pid=//p' {fleet}/server/state/run/ready)")
        self.system.until(f"! pgrep -f 'holdfastd --dir {fleet}$'", 30, "the backend does not end")

    def bundle(self, path):
        self.system.run(f"umask 077; {HOLDFAST} enrol token --uses 5 > {path}")

    def agents(self):
        return {row["id"]: row for row in json.loads(self.system.run(f"{HOLDFAST} agents -o json"))}

    def wait_online(self, agent=None, seconds=30):
        end = time.monotonic() + seconds
        while True:
            online = [i for i, row in self.agents().items() if row["online"] and agent in (None, i)]
            if online:
                return online[0]
            log = self.system.run("cat /var/log/holdfast-agent.log 2>/dev/null | tail -5; true")
            self.assertLess(time.monotonic(), end, f"nobody is online\n{log}")
            time.sleep(0.1)

    def endpoint(self):
        """A backend, and an agent that was installed, enrolled and is online; its id."""
        self.backend()
        self.bundle("/root/bundle")
        self.system.run(f"dpkg -i /root/{AGENT.format(VERSION)}")
        agent = self.system.run("holdfast-agent enrol --bundle /root/bundle").strip()
        self.system.run("invoke-rc.d holdfast-agent start")
        self.wait_online(agent)
        return agent

    def one(self, agent):
        (answer,) = json.loads(self.system.run(f"{HOLDFAST} query {agent} 'SELECT 1 AS one' -o json"))
        return answer["rows"]

    def traces(self):
        """Files and users of the agent; dpkg's own records of what it did are not counted."""
        said = self.system.run("find / -xdev -name '*holdfast-agent*' -not -path '/root/*' -not -path '/var/lib/dpkg/*' "
                               "-not -path '/proc/*'; grep -h holdfast-link /etc/passwd /etc/group; true")
        return said.split("\n")[:-1]

    def running(self):
        return self.system.run("pgrep -x -f '/usr/sbin/holdfast-agent run'; true").split()
