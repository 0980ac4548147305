#!/usr/bin/env python3
"""toolchains/fetch_sources.sh, asked of a repository that lists what it does not give, as mirrors do at times."""
import gzip
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATCH = "--- a/lib/core.c\n+++ b/lib/core.c\n@@ -1 +1 @@\n-upstream\n+the distribution's\n"


class SourcesTest(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="holdfast-sources-")
        self.addCleanup(place.cleanup)
        self.place = pathlib.Path(place.name)
        self.place.chmod(0o755)
        self.repository = self.place / "repository"
        self.repository.mkdir()
        (self.place / "apt.list").write_text(f"deb [trusted=yes] file:{self.repository} ./\n")
        (self.place / "apt.conf").write_text(
            f'Dir::Etc::sourcelist "{self.place}/apt.list";\nDir::Etc::sourceparts "/dev/null";\n')
        self.tree = self.place / "tree"
        (self.tree / "toolchains").mkdir(parents=True)
        shutil.copy(ROOT / "toolchains/fetch_sources.sh", self.tree / "toolchains/")

    def offer(self, *versions):
        """Source packages with a change of the distribution's, and the list of them."""
        for version in versions:
            work = self.place / f"work-{version}"
            source = work / "libwebsockets"
            (source / "lib").mkdir(parents=True)
            (source / "lib/core.c").write_text("upstream\n")
            upstream, debian = version.split("-")[0], source / "debian"
            subprocess.run(["tar", "-C", work, "-cJf", work / f"libwebsockets_{upstream}.orig.tar.xz", "libwebsockets"], check=True)
            (debian / "patches").mkdir(parents=True)
            (debian / "source").mkdir()
            (debian / "source/format").write_text("3.0 (quilt)\n")
            (debian / "patches/series").write_text("# of Debian's\nours.patch\n")
            (debian / "patches/ours.patch").write_text(PATCH)
            (debian / "changelog").write_text(
                f"libwebsockets ({version}) stable; urgency=low\n\n  * One.\n\n -- A <a@b.invalid>  Mon, 01 Jan 2024 00:00:00 +0000\n")
            (debian / "control").write_text("Source: libwebsockets\nMaintainer: A <a@b.invalid>\nStandards-Version: 4.6.0\n\n"
                                            "Package: libwebsockets-dev\nArchitecture: any\nDescription: d\n")
            subprocess.run(["dpkg-source", "-b", source], cwd=work, check=True, capture_output=True)
            for file in work.iterdir():
                if file.is_file():
                    shutil.move(file, self.repository / file.name)
        listed = subprocess.run(["dpkg-scansources", "."], cwd=self.repository, capture_output=True, check=True).stdout
        (self.repository / "Sources.gz").write_bytes(gzip.compress(listed))

    def lose(self, pattern):
        for file in self.repository.glob(pattern):
            file.unlink()

    def fetch(self, expect=0):
        done = subprocess.run(["sh", self.tree / "toolchains/fetch_sources.sh", "libwebsockets"], capture_output=True, text=True,
                              env=os.environ | {"APT_CONFIG": str(self.place / "apt.conf")}, check=False)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stderr

    def core(self):
        return (self.tree / "build/sources/libwebsockets/lib/core.c").read_text()

    def test_the_newest_is_taken(self):
        self.offer("4.1-1", "4.2-1")
        self.assertIn("libwebsockets (4.2-1) is in", self.fetch())
        self.assertEqual(self.core(), "the distribution's\n")

    def test_without_its_dsc_it_is_what_the_signed_lists_say(self):
        self.offer("4.2-1")
        self.lose("*.dsc")
        self.assertIn("gives the .dsc of libwebsockets", self.fetch())
        self.assertEqual(self.core(), "the distribution's\n")

    def test_what_is_not_what_the_lists_say_is_not_taken(self):
        self.offer("4.2-1")
        self.lose("*.dsc")
        (changed,) = self.repository.glob("*.debian.tar.xz")
        data = bytearray(changed.read_bytes())
        data[-1] ^= 1
        changed.write_bytes(data)
        self.assertIn("no repository of this machine's apt gives the source of libwebsockets", self.fetch(expect=1))

    def test_of_a_version_that_is_lost_the_one_before_is_taken_and_said(self):
        self.offer("4.1-1", "4.2-1")
        self.lose("*4.2-1*")
        said = self.fetch()
        self.assertIn("WARNING: no repository gives libwebsockets 4.2-1, which they list; taking 4.1-1", said)
        self.assertEqual(self.core(), "the distribution's\n")

    def test_with_nothing_left_it_says_what_to_do(self):
        self.offer("4.2-1")
        self.lose("*.tar.*")
        said = self.fetch(expect=1)
        self.assertIn("try later, or another mirror", said)
        self.assertIn("HOLDFAST_LWS_SOURCE", said)
        self.assertFalse((self.tree / "build/sources/libwebsockets").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
