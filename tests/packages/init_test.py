#!/usr/bin/env python3
"""The agent where OpenRC starts things (the archive), and where sysvinit is the first process (the .deb), in Debian 12 with them:
installed, enrolled, killed, stopped, upgraded, removed. What /etc/init.d does without any is in packages_test.py.
"""
import unittest

from booted import SysvBooted
from system_case import AGENT, NEXT, VERSION, SystemCase

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


class SysvinitTest(SystemCase):
    suite = "bookworm-sysvinit"
    machine = SysvBooted

    def service(self, word, expect=0):
        status, said = self.system.run(f"service holdfast-agent {word}", expect=None)
        self.assertEqual(status, expect, said)
        return said

    def test_it_is_kept_by_its_init_script(self):
        self.backend()
        self.bundle("/root/bundle")
        said = self.system.run(f"dpkg -i /root/{AGENT.format(VERSION)}")
        self.assertIn("not enrolled", said)
        self.assertEqual(self.running(), [])
        self.assertIn("does not run", self.service("status", expect=3))
        agent = self.system.run("holdfast-agent enrol --bundle /root/bundle").strip()
        self.service("start")
        self.assertEqual(self.wait_online(agent), agent)
        self.assertIn("holdfast-agent runs", self.service("status"))
        self.assertIn("holdfast-agent runs", self.service("start"))  # and there is still one
        with self.subTest("killed, it is started again"):
            (before,) = self.running()
            self.system.run(f"kill -KILL {before}")
            self.system.until(f"p=$(pgrep -x -f '/usr/sbin/holdfast-agent run') && test $p != {before}", 20)
            self.assertEqual(self.wait_online(agent), agent)
        with self.subTest("restart, stop, start"):
            (before,) = self.running()
            self.service("restart")
            self.assertNotEqual(self.running(), [before])
            self.assertEqual(self.wait_online(agent), agent)
            self.service("stop")
            self.assertEqual(self.running(), [])
            self.service("status", expect=3)
            self.service("try-restart")
            self.assertEqual(self.running(), [])
        with self.subTest("what a boot starts"):
            for level in "2345":
                self.system.run(f"ls /etc/rc{level}.d/S*holdfast-agent")
            for level in "016":
                self.system.run(f"ls /etc/rc{level}.d/K*holdfast-agent")
            self.system.run("RUNLEVEL=2 PREVLEVEL=N runlevel=2 previous=N /etc/init.d/rc 2 </dev/null >/dev/null 2>&1")
            self.assertEqual(self.wait_online(agent), agent)
        with self.subTest("upgraded"):
            self.system.run(f"dpkg -i /root/{AGENT.format(NEXT)}")
            self.assertEqual(self.wait_online(agent), agent)
            self.assertEqual(len(self.running()), 1)
        with self.subTest("removed, and purged"):
            self.system.run("dpkg --remove holdfast-agent")
            self.assertEqual(self.running(), [])
            self.system.run("dpkg --purge holdfast-agent")
            self.assertEqual(self.traces(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
