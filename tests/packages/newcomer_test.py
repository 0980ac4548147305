#!/usr/bin/env python3
"""The README's two commands, as a newcomer types them, in a bare Debian 12 and 13: git is there, and nothing else.

They ask Debian's servers for packages, so these systems have this machine's network; 5 minutes each on two idle cores.
"""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from system import System
from system_case import ROOT, SystemCase

# As Debian's installer and images have them; debootstrap leaves the first alone.
SOURCES = """deb http://deb.debian.org/debian {suite} main
deb http://deb.debian.org/debian {suite}-updates main
deb http://deb.debian.org/debian-security {suite}-security main
"""
SECONDS = 3600  # at most, on a machine with other work


class Connected(System):
    NAMESPACES = tuple(n for n in System.NAMESPACES if n != "net")


class NewcomerTest(SystemCase):
    suite = "bookworm-bare"
    machine = Connected
    packages = ()

    def test_the_readmes_two_commands_end_in_answers(self):
        readme = (ROOT / "README.md").read_text()
        commands = re.search(r"(?m)^## Two commands\n.*?^```\n(.*?)^```", readme, re.S)[1].splitlines()
        self.assertEqual(len(commands), 2)
        clone, demo = commands
        with tempfile.TemporaryDirectory() as place:
            subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, f"{place}/holdfast.git"], check=True)
            shutil.copytree(f"{place}/holdfast.git", self.system.path("/srv/holdfast.git"))
        shutil.copyfile("/etc/resolv.conf", self.system.path("/etc/resolv.conf"))
        self.system.path("/etc/apt/sources.list").write_text(SOURCES.format(suite=self.suite.split("-", maxsplit=1)[0]))
        clone = clone.replace("URL-OF-THIS-REPOSITORY", "/srv/holdfast.git")
        began = time.monotonic()
        status, said = self.system.run(f"cd /root && {clone} && nice -n 5 {demo} --once", expect=None, seconds=SECONDS)
        self.assertEqual(status, 0, said[-6000:])
        print(f"  {self.suite}, {os.cpu_count()} cores: {time.monotonic() - began:.0f} s\n    "
              + "\n    ".join(said.splitlines()[:12]), flush=True)
        for word in ("installing with apt-get: ", "holdfast query", "holdfast audit"):
            self.assertIn(word, said)
        self.compare_programs()

    def compare_programs(self):
        """Another folder, another time, another machine as far as a compiler can see: the same bytes. Of what is committed, by the
        compiler of Debian 12."""
        changed = subprocess.run(["git", "-C", ROOT, "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
        if changed or 'VERSION_ID="12"' not in pathlib.Path("/etc/os-release").read_text():
            print("    programs are not compared: there are changes here that are not committed, or this is no Debian 12", flush=True)
            return
        for program in ("holdfast-agent", "holdfastd", "holdfast", "holdfast-fleet"):
            ours = ROOT / "build/release/bin" / program
            theirs = self.system.path(f"/root/holdfast/build/release/bin/{program}")
            self.assertEqual(hashlib.sha256(theirs.read_bytes()).hexdigest(), hashlib.sha256(ours.read_bytes()).hexdigest(), program)


class TrixieTest(NewcomerTest):
    suite = "trixie-bare"

    def compare_programs(self):
        """Of another compiler."""


if __name__ == "__main__":
    unittest.main(verbosity=2)
