#!/usr/bin/env python3
"""The agent's .rpm by the programs rpm and dnf: installed, enrolled, upgraded, downgraded and removed, with its scriptlets. In a
Debian system, as no other can be had here: what its own kind would have installed already stands in an empty package (DnfTest).
"""
import pathlib
import shutil
import tempfile
import time
import unittest

from repository_test import changed, make, new_key
from system_case import HOLDFAST, NEXT, PACKAGES, VERSION, YARA_RPM, SystemCase

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


BASE_SPEC = """Name: base
Version: 1
Release: 1
Summary: What a system of this kind has
License: none
BuildArch: noarch
Provides: shadow-utils, /bin/sh
%description
Nothing.
%files
"""
REPOS = """[base]
name=base
baseurl=file:///srv/base
gpgcheck=0
[holdfast]
name=Holdfast
baseurl=file:///srv/holdfast/rpm
gpgcheck=1
repo_gpgcheck=1
gpgkey=file:///srv/holdfast/holdfast.asc
"""
DNF = "dnf -q -y --releasever=9"


class DnfTest(SystemCase):
    suite = "bookworm-dnf"
    packages = ()

    def offer(self, version):
        """A repository of that version in place of what was there, signed by the same key."""
        with tempfile.TemporaryDirectory() as place:
            for name in (RPM.format(version), YARA_RPM):
                shutil.copyfile(PACKAGES / name, pathlib.Path(place, name))
            out = pathlib.Path(place, "out")
            make(self.key, out, place, version)
            shutil.rmtree(self.system.path("/srv/holdfast"), ignore_errors=True)
            shutil.copytree(out, self.system.path("/srv/holdfast"))
        self.system.run("dnf clean all")

    def setUp(self):
        super().setUp()
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.key = new_key(place.name, "fleet")
        self.system.path("/root/base.spec").write_text(BASE_SPEC)
        self.system.run("rpmbuild -bb --define '_topdir /root/rpmbuild' /root/base.spec && mkdir /srv/base && "
                        "cp /root/rpmbuild/RPMS/noarch/*.rpm /srv/base && createrepo_c -q /srv/base")
        self.system.run("mkdir -p /etc/yum.repos.d")
        self.system.path("/etc/yum.repos.d/holdfast.repo").write_text(REPOS)
        self.offer(VERSION)

    def test_dnf_installs_upgrades_and_removes_from_the_signed_repository(self):
        self.system.run(f"{DNF} install holdfast-agent-yara")  # and with it what it is for
        self.assertIn(VERSION, self.system.run("holdfast-agent version"))
        self.system.run("/usr/libexec/holdfast/holdfast-agent-yara version")
        self.assertEqual(self.system.run("stat -c '%a %U' /var/lib/holdfast-agent").strip(), "700 root")
        self.assertIn("holdfast-link", self.system.run("cat /etc/passwd"))
        self.system.run(f"{DNF} remove holdfast-agent-yara")
        self.system.run("test ! -e /usr/libexec/holdfast/holdfast-agent-yara")
        self.system.run(f"{DNF} install holdfast-agent")  # still there
        self.offer(NEXT)
        self.system.run(f"{DNF} upgrade")
        self.assertIn(NEXT, self.system.run("rpm -q holdfast-agent"))
        self.offer(VERSION)
        # The next version's package has this one's program; what its own would say:
        self.system.path("/usr/sbin/holdfast-agent").write_text(f"#!/bin/sh\necho holdfast-agent {NEXT}\n")
        status, said = self.system.run(f"{DNF} downgrade holdfast-agent", expect=None)
        self.assertNotEqual(status, 0, said)
        self.assertIn(NEXT, self.system.run("rpm -q holdfast-agent"))
        self.system.run(f"{DNF} remove holdfast-agent")
        self.system.run("test ! -e /usr/sbin/holdfast-agent && test -d /var/lib/holdfast-agent")

    def test_dnf_refuses_what_was_changed_and_what_somebody_else_has_signed(self):
        def refused(*words):
            self.system.run("dnf clean all")
            status, said = self.system.run(f"{DNF.replace(' -q', '')} install holdfast-agent", expect=None)
            self.assertNotEqual(status, 0, said)
            self.assertTrue(any(word in said for word in words), said)
            self.system.run("test ! -e /usr/sbin/holdfast-agent")

        package = self.system.path(f"/srv/holdfast/rpm/{RPM.format(VERSION)}")
        whole = package.read_bytes()
        changed(package)
        refused("checksum", "Checksum")
        package.write_bytes(whole)
        with tempfile.TemporaryDirectory() as place:
            self.key = new_key(place, "stranger")
            ours = self.system.path("/srv/holdfast/holdfast.asc").read_bytes()
            self.offer(VERSION)
        self.system.path("/srv/holdfast/holdfast.asc").write_bytes(ours)
        refused("GPG", "signature")


if __name__ == "__main__":
    unittest.main(verbosity=2)
