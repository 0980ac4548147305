#!/usr/bin/env python3
"""./dev package repository: apt, rpm and gpgv install from it with nothing but its public key, and refuse what somebody has changed."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from system_case import AGENT, PACKAGES, ROOT, VERSION, SystemCase

REPOSITORY = PACKAGES / "test-repository"
ARCHIVE = f"holdfast-agent-{VERSION}-amd64.tar.gz"
RPM = f"holdfast-agent-{VERSION}-1.x86_64.rpm"
SOURCES = """Types: deb
URIs: file:/srv/holdfast/deb
Suites: stable
Components: main
Signed-By: /etc/apt/keyrings/holdfast.gpg
"""


def new_key(place, name):
    """A key as docs/operations/signing.md makes it, in a file; for a test without a passphrase."""
    with tempfile.TemporaryDirectory() as home:
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", ""]
        subprocess.run([*gpg, "--quick-generate-key", f"{name} <{name}@example.org>", "rsa3072", "sign", "2y"], check=True,
                       capture_output=True)
        secret = subprocess.run([*gpg, "--armor", "--export-secret-keys"], check=True, capture_output=True).stdout
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
    file = pathlib.Path(place, name)
    file.touch(0o600)
    file.write_bytes(secret)
    return file


def make(key, out, packages, version=VERSION):
    subprocess.run([sys.executable, ROOT / "packaging/repository.py", "--key", key, "--packages", packages, "--version", version,
                    "--out", out],
                   check=True, stdout=subprocess.DEVNULL)


def changed(path):
    """One bit, in the middle; the size is the same."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


class RepositoryTest(SystemCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if (REPOSITORY / "holdfast.gpg").exists() and cls is not RepositoryTest:
            return  # the same one in the other system
        with tempfile.TemporaryDirectory() as place:
            for name in (AGENT.format(VERSION), RPM, ARCHIVE):
                shutil.copyfile(PACKAGES / name, pathlib.Path(place, name))
            (key := new_key(place, "fleet")).chmod(0o600)
            make(key, REPOSITORY, place)
            make(new_key(place, "stranger"), REPOSITORY / "stranger", place)

    def setUp(self):
        super().setUp()
        self.here = self.system.path("/srv/holdfast")
        shutil.copytree(REPOSITORY, self.here)
        # Whoever installs has brought the key.
        self.system.run("install -D -m 0644 /srv/holdfast/holdfast.gpg /etc/apt/keyrings/holdfast.gpg; "
                        "rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*")
        self.system.path("/etc/apt/sources.list.d/holdfast.sources").write_text(SOURCES)

    def refused(self, command, *words):
        status, said = self.system.run(command, expect=None)
        self.assertNotEqual(status, 0, said)
        self.assertTrue(any(word in said for word in words), said)
        self.system.run("test ! -e /usr/sbin/holdfast-agent")

    UPDATE = "apt-get -q -o APT::Update::Error-Mode=any update"
    INSTALL = "apt-get -q -y install holdfast-agent"

    def test_apt_installs_from_it_with_its_key_alone(self):
        self.system.run(self.UPDATE)
        self.system.run(self.INSTALL)
        self.assertIn(VERSION, self.system.run("holdfast-agent version"))
        self.assertIn("file:/srv/holdfast/deb stable/main amd64 Packages", self.system.run("apt-cache policy holdfast-agent"))

    def test_apt_refuses_what_was_changed(self):
        with self.subTest("a package"):
            self.system.run(self.UPDATE)
            changed(self.here / "deb/pool" / AGENT.format(VERSION))
            self.refused(self.INSTALL, "Hash Sum mismatch", "has unexpected size")
        with self.subTest("a package, and the list of packages with it"):
            listed = self.here / "deb/dists/stable/main/binary-amd64/Packages"
            text = listed.read_text()
            (listed.parent / "Packages.xz").unlink()
            listed.write_text(text.replace("SHA256: ", "SHA256: 0", 1)[:len(text)])
            self.system.run("rm -r /var/lib/apt/lists/*")  # as one who has not seen the right one
            self.refused(self.UPDATE, "Hash Sum mismatch", "unexpected size")

    def test_apt_refuses_a_signature_of_somebody_else_and_none(self):
        release = self.here / "deb/dists/stable/InRelease"
        with self.subTest("somebody else's"):
            shutil.rmtree(self.here / "deb")
            (self.here / "stranger/deb").rename(self.here / "deb")
            self.refused(self.UPDATE, "NO_PUBKEY", "Missing key")
        with self.subTest("none"):
            text = release.read_text().split("\n\n", 1)[1].split("-----BEGIN PGP SIGNATURE")[0]
            release.unlink()
            (release.parent / "Release").write_text(text)
            self.refused(self.UPDATE, "is not signed")

    def test_the_archives_sums_are_signed(self):
        # The page's own words (docs/operations/signing.md).
        check = ("cd /srv/holdfast/tar && gpgv --keyring /etc/apt/keyrings/holdfast.gpg SHA256SUMS.asc SHA256SUMS && "
                 "sha256sum --check --ignore-missing SHA256SUMS")
        if self.suite == "trixie":  # whose apt brings another verifier
            check = check.replace("gpgv --keyring", "sqv --keyring")
        self.assertIn(f"{ARCHIVE}: OK", self.system.run(check))
        changed(self.here / "tar" / ARCHIVE)
        self.refused(check, f"{ARCHIVE}: FAILED")
        sums = self.here / "tar/SHA256SUMS"
        sums.write_text(self.system.run(f"cd /srv/holdfast/tar && sha256sum {ARCHIVE}"))
        self.refused(check, "BAD signature", "Bad signature", "Message has been manipulated", "signature")

    def test_rpm_installs_what_the_key_has_signed_and_nothing_else(self):
        strict = "rpm --define '_pkgverify_level all' --force-debian --nodeps -i"
        package = self.here / "rpm" / RPM
        self.refused(f"{strict} /srv/holdfast/rpm/{RPM}", "NOKEY")
        self.system.run("rpmkeys --import /srv/holdfast/holdfast.asc")
        self.system.run(f"rpmkeys --checksig /srv/holdfast/rpm/{RPM}")
        whole = package.read_bytes()
        with self.subTest("changed"):
            changed(package)
            self.refused(f"{strict} /srv/holdfast/rpm/{RPM}", "does not verify", "BAD")
        with self.subTest("not signed"):
            self.system.give(PACKAGES / RPM, f"/root/{RPM}")
            self.refused(f"{strict} /root/{RPM}", "no signature", "does not verify")
        with self.subTest("somebody else's"):
            self.refused(f"{strict} /srv/holdfast/stranger/rpm/{RPM}", "NOKEY")
        package.write_bytes(whole)
        self.system.run(f"{strict} /srv/holdfast/rpm/{RPM}")
        self.assertIn(VERSION, self.system.run("holdfast-agent version"))
        with self.subTest("the list of packages"):
            data = self.here / "rpm/repodata"
            self.system.run("cd /srv/holdfast/rpm/repodata && gpgv --keyring /etc/apt/keyrings/holdfast.gpg repomd.xml.asc repomd.xml")
            self.assertIn(RPM, subprocess.run(["zgrep", "-h", "location href", *data.glob("*-primary.xml.*")],
                                              capture_output=True, text=True, check=True).stdout)


class TrixieTest(RepositoryTest):
    """Debian 13's apt checks signatures with another program (sqv)."""
    suite = "trixie"
    test_rpm_installs_what_the_key_has_signed_and_nothing_else = None  # it has no rpm


if __name__ == "__main__":
    os.umask(0o022)
    unittest.main(verbosity=2)
