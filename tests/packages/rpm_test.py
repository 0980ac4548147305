#!/usr/bin/env python3
"""The agent's .rpm by the program rpm: installed, enrolled, upgraded, downgraded and removed, with its scriptlets. In a Debian
system, as no other can be had here: its dependencies are left to the reader, its files and scriptlets are not.
"""
import time
import unittest

from system_case import HOLDFAST, NEXT, PACKAGES, VERSION, SystemCase

RPM = "holdfast-agent-{}-1.x86_64.rpm"
INSTALL = "rpm --force-debian --nodeps"
# Says what was asked of systemd, and does it as far as a test needs.
SYSTEMCTL = """#!/bin/sh
echo "$*" >> /root/systemctl.log
"""


class RpmTest(SystemCase):
    def setUp(self):
        super().setUp()
        for version in (VERSION, NEXT):
            self.system.give(PACKAGES / RPM.format(version), f"/root/{RPM.format(version)}")
        self.system.path("/usr/bin/systemctl").write_text(SYSTEMCTL)
        self.system.run("chmod 755 /usr/bin/systemctl; mkdir -p /run/systemd/system")

    def rpm(self, words, expect=0, env=""):
        self.system.run("rm -f /root/systemctl.log")
        status, said = self.system.run(f"{env} {INSTALL} {words}", expect=None)
        self.assertEqual(status, expect, said)
        return said, self.system.run("cat /root/systemctl.log 2>/dev/null; true")

    def test_it_installs_enrols_upgrades_and_goes(self):
        self.backend()
        self.bundle("/root/bundle")
        _, asked = self.rpm(f"-i /root/{RPM.format(VERSION)}")
        self.assertIn("enable --quiet holdfast-agent.service", asked)
        for unit in ("holdfast-agent.path", "holdfast-agent-enrol.path"):
            self.assertIn(f"start {unit}\n", asked)
        self.assertEqual(self.system.run("stat -c '%a %U' /var/lib/holdfast-agent /etc/holdfast-agent").split(),
                         ["700", "root", "700", "root"])
        self.assertIn("holdfast-link", self.system.run("cat /etc/passwd"))
        self.assertEqual(self.system.run("rpm --nodeps -V --nouser --nogroup holdfast-agent; true"), "")
        self.assertNotIn("/etc/", self.system.run("rpm -ql holdfast-agent"))
        agent = self.system.run("holdfast-agent enrol --bundle /root/bundle").strip()
        daemon = self.system.begin("exec holdfast-agent run 2>>/var/log/holdfast-agent.log")
        self.addCleanup(lambda: (daemon.kill(), daemon.wait(20)))
        self.wait_online(agent)
        self.assertEqual(self.one(agent), [{"one": 1}])

        # One that the package had not before; the others may have been disabled by somebody.
        self.system.run("rm /usr/lib/systemd/system/holdfast-agent-enrol.path")
        _, asked = self.rpm(f"-U /root/{RPM.format(NEXT)}")
        self.assertIn("try-restart holdfast-agent.service", asked)
        self.assertEqual([line.strip() for line in asked.splitlines() if "enable" in line],
                         ["enable --quiet holdfast-agent-enrol.path"])
        self.assertIn("start holdfast-agent-enrol.path", asked)
        self.system.run("test ! -e /var/lib/holdfast-agent/new-units")
        self.assertNotIn("disable", asked)  # the old one's %preun knows that it is an upgrade
        self.assertEqual(self.system.run("cat /var/lib/holdfast-agent/enrolled").strip(), agent)
        self.assertIn(NEXT, self.system.run("rpm -q holdfast-agent"))

        _, asked = self.rpm("-e holdfast-agent")
        self.assertIn("disable --quiet --now", asked)
        self.system.run("test ! -e /usr/sbin/holdfast-agent")
        self.assertEqual(self.system.run("cat /var/lib/holdfast-agent/enrolled").strip(), agent)  # the same endpoint later

    def test_it_is_whole_after_rpm_was_killed_anywhere(self):
        self.rpm(f"-i /root/{RPM.format(VERSION)}")
        seen = {}
        for step in range(1, 9):
            self.system.run(f"setsid -w timeout --signal=KILL {step * 0.05:.2f}s {INSTALL} -U /root/{RPM.format(NEXT)} "
                            ">/dev/null 2>&1; true")
            self.assertIn(VERSION, self.system.run("holdfast-agent version"))
            listed = " ".join(self.system.run("rpm -q holdfast-agent").split())
            seen[listed] = seen.get(listed, 0) + 1
            # Again, as everybody does; in another second, as rpm names what it unpacks after that.
            time.sleep(1)
            self.rpm(f"-U --replacepkgs /root/{RPM.format(NEXT)}")
            self.assertEqual(self.system.run("rpm -q holdfast-agent").strip(), RPM.format(NEXT)[:-4])
            self.assertEqual(self.system.run("rpm --nodeps -V --nouser --nogroup holdfast-agent; true"), "")
            self.rpm(f"-U --oldpackage /root/{RPM.format(VERSION)}", env="HOLDFAST_ALLOW_DOWNGRADE=1")
        print(f"  after rpm was killed: {seen}", flush=True)

    def test_an_older_one_is_refused(self):
        self.rpm(f"-i /root/{RPM.format(NEXT)}")
        said, _ = self.rpm(f"-U /root/{RPM.format(VERSION)}", expect=2)
        self.assertIn("is already installed", said)  # rpm itself
        self.system.path("/usr/sbin/holdfast-agent").write_text("#!/bin/sh\necho holdfast-agent 99.0.0\n")
        said, _ = self.rpm(f"-U --oldpackage /root/{RPM.format(VERSION)}", expect=1)
        self.assertIn(f"99.0.0 is installed, and {VERSION} is older", said)
        self.assertIn(NEXT, self.system.run("rpm -q holdfast-agent"))
        self.rpm(f"-U --oldpackage /root/{RPM.format(VERSION)}", env="HOLDFAST_ALLOW_DOWNGRADE=1")
        self.assertIn(f"{VERSION}-1", self.system.run("rpm -q holdfast-agent"))

    def test_an_old_kernel_is_refused(self):
        self.system.run("printf '#!/bin/sh\\necho 3.10.0-1160\\n' > /usr/local/bin/uname && chmod 755 /usr/local/bin/uname && "
                        "mv /usr/bin/uname /usr/bin/uname.real && cp /usr/local/bin/uname /usr/bin/uname")
        said, _ = self.rpm(f"-i /root/{RPM.format(VERSION)}", expect=1)
        self.assertIn("needs Linux 4.9 or later. Nothing was installed", said)
        self.system.run("test ! -e /usr/sbin/holdfast-agent")


if __name__ == "__main__":
    unittest.main(verbosity=2)
