#!/usr/bin/env python3
"""What docs/operations/install.md shows for many endpoints, taken from the page and done by the programs that it is for."""
import base64
import re
import unittest

from system_case import AGENT, ROOT, VERSION, SystemCase

PAGE = ROOT / "docs/operations/install.md"
DEB = f"/root/{AGENT.format(VERSION)}"


def snippet(head):
    """The block of code behind the line that begins so, for this version's package."""
    text = PAGE.read_text()
    block = re.search(rf"(?m)^{re.escape(head)}[^\n]*\n```\w*\n(.*?)^```", text, re.S)[1]
    return re.sub(r"/path/to/holdfast-agent_[\d.]+_amd64.deb", DEB, block)


class MassInstallTest(SystemCase):
    suite = "bookworm-mass"

    def setUp(self):
        super().setUp()
        self.backend()

    def enrolled(self):
        agent = self.wait_online()
        self.assertEqual(self.one(agent), [{"one": 1}])
        self.system.run("test ! -e /etc/holdfast-agent/enrol.bundle")

    def test_cloud_init(self):
        self.bundle("/root/bundle")
        bundle = base64.b64encode(self.system.path("/root/bundle").read_bytes()).decode()
        text = "#cloud-config\n" + snippet("cloud-init:").replace("BASE64_OF_THE_BUNDLE", bundle)
        self.system.run("install -d /var/lib/cloud/seed/nocloud && echo 'instance-id: one' > /var/lib/cloud/seed/nocloud/meta-data")
        self.system.path("/var/lib/cloud/seed/nocloud/user-data").write_text(text)
        self.assertIn("Valid", self.system.run("cloud-init schema --config-file /var/lib/cloud/seed/nocloud/user-data"))
        self.system.run("printf 'datasource_list: [NoCloud]\\nnetwork: {config: disabled}\\n' > /etc/cloud/cloud.cfg.d/99-test.cfg")
        self.system.run("cloud-init init --local; cloud-init init; cloud-init single --name write_files --frequency always")
        self.assertEqual(self.system.run("stat -c '%a %U' /etc/holdfast-agent/enrol.bundle").strip(), "600 root")
        self.system.run("cloud-init single --name runcmd --frequency always && cloud-init single --name scripts_user --frequency always")
        self.enrolled()

    def test_ansible(self):
        self.bundle("/root/agent.bundle")
        tasks = snippet("Ansible:")
        self.system.path("/root/play.yml").write_text(
            "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n" +
            "".join(f"    {line}\n" for line in tasks.splitlines()))
        play = "cd /root && LC_ALL=C.UTF-8 ansible-playbook -i localhost, -e ansible_python_interpreter=/usr/bin/python3 play.yml"
        self.assertIn("failed=0", self.system.run(play))
        self.enrolled()
        with self.subTest("again, once the bundle is used and gone"):
            self.assertIn("failed=0", self.system.run(play))
            self.assertEqual(len(self.running()), 1)

    def test_preseed(self):
        line = re.search(r"`(d-i preseed/late_command string .*?)`", PAGE.read_text())[1]
        self.system.path("/root/preseed").write_text(line + "\n")
        self.system.run("debconf-set-selections --checkonly /root/preseed")
        self.system.run("mkdir -p /media")
        self.bundle("/media/agent.bundle")
        self.system.run(line.split("in-target ", 1)[1])
        self.assertEqual(self.system.run("stat -c '%a %U' /etc/holdfast-agent/enrol.bundle").strip(), "600 root")
        self.system.run(f"dpkg -i {DEB}")
        self.enrolled()


if __name__ == "__main__":
    unittest.main(verbosity=2)
