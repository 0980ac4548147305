#!/usr/bin/env python3
"""The agent's archive where OpenRC starts things, in a Debian 12 that has it: installed, enrolled, killed, stopped, upgraded, removed.
What /etc/init.d alone does is in packages_test.py.
"""
import unittest

from system_case import VERSION, SystemCase

PLACE = f"/root/holdfast-agent-{VERSION}-amd64"


class OpenRcTest(SystemCase):
    suite = "bookworm-openrc"

    def setUp(self):
        super().setUp()
        # As after a start: OpenRC has reached its runlevel, and the network is up.
        self.system.run("mkdir -p /run/openrc && openrc boot >/dev/null 2>&1; touch /run/openrc/softlevel && echo default > /run/openrc/softlevel")
        self.backend()
        self.bundle("/root/bundle")
        self.system.run(f"cd /root && tar -xzf holdfast-agent-{VERSION}-amd64.tar.gz")

    def service(self, word, expect=0):
        status, said = self.system.run(f"rc-service holdfast-agent {word} 2>&1", expect=None)
        self.assertEqual(status, expect, said)
        return said

    def test_it_is_kept_by_openrc(self):
        said = self.system.run(f"{PLACE}/install.sh --bundle /root/bundle 2>&1")
        self.assertIn(f"holdfast-agent {VERSION} is installed.", said)
        agent = self.wait_online()
        self.assertEqual(self.one(agent), [{"one": 1}])
        self.assertIn("holdfast-agent", self.system.run("rc-update show default"))
        self.assertIn("started", self.service("status"))
        with self.subTest("killed, it is started again"):
            (before,) = self.running()
            self.system.run(f"kill -KILL {before}")
            self.system.until(f"p=$(pgrep -x -f '/usr/sbin/holdfast-agent run') && test $p != {before}", 20)
            self.assertEqual(self.wait_online(agent), agent)
        with self.subTest("stopped, started"):
            self.service("stop")
            self.assertEqual(self.running(), [])
            self.service("start")
            self.assertEqual(self.wait_online(agent), agent)
        with self.subTest("upgraded"):
            (before,) = self.running()
            self.system.run(f"{PLACE}/install.sh 2>&1")
            self.assertNotEqual(self.running(), [before])
            self.assertEqual(self.wait_online(agent), agent)
        with self.subTest("removed, and purged"):
            self.system.run(f"{PLACE}/uninstall.sh")
            self.assertEqual(self.running(), [])
            self.assertEqual(self.system.run("cat /var/lib/holdfast-agent/enrolled").strip(), agent)
            self.system.run(f"{PLACE}/uninstall.sh --purge")
            self.assertEqual(self.traces(), [])

    def test_it_does_not_start_without_an_enrolment(self):
        said = self.system.run(f"{PLACE}/install.sh 2>&1")
        self.assertIn("Enrol it: holdfast-agent enrol --bundle FILE", said)
        self.assertIn("not enrolled: holdfast-agent enrol --bundle FILE", self.service("start", expect=1))
        self.assertEqual(self.running(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
