#!/usr/bin/env python3
"""The verbs for files beyond ls and get: find, mkdir, cp, mv, rm, tail and archive, as an analyst types them."""
import json
import os
import signal
import subprocess
import tarfile
import time

from harness.case import FilesTest, main
from harness.procs import wait_for


class FileVerbsTest(FilesTest):
    def names(self, *argv):
        return [os.path.basename(row["path"]) for row in self.ask("find", self.files, *argv)["rows"]]

    # --- find ------------------------------------------------------------------------------------
    def test_find_takes_name_kind_size_age_mode_and_content_together(self):
        (self.files / "sub").mkdir()
        script = self.files / "sub" / "start.sh"
        script.write_text("#!/bin/sh\nset -e\ncurl http://example.com/x\n")
        script.chmod(0o4755)
        old = self.files / "old.sh"
        old.write_text("curl")
        os.utime(old, (1_000_000_000, 1_000_000_000))
        (self.files / "other.txt").write_text("curl")
        self.assertEqual(self.names("--iname", "*.SH"), ["old.sh", "start.sh"])
        self.assertEqual(self.names("--name", "*.sh", "--newer", "1h"), ["start.sh"])
        self.assertEqual(self.names("--older", "2002-01-01"), ["old.sh"])
        self.assertEqual(self.names("--type", "d"), [self.files.name, "sub"])
        self.assertEqual(self.names("--type", "f", "--max-depth", "1"), ["old.sh", "other.txt"])
        self.assertEqual(self.names("--suid"), ["start.sh"])
        self.assertEqual(self.names("--perm", "4001"), ["start.sh"])
        self.assertEqual(self.names("--type", "f", "--min-size", "5"), ["start.sh"])
        self.assertEqual(self.names("--type", "f", "--max-size", "4"), ["old.sh", "other.txt"])
        self.assertEqual(self.names("--regex", "/sub/.*[.]sh$"), ["start.sh"])
        self.assertEqual(len(self.names("--user", "root", "--max-results", "2")), 2)
        rows = self.ask("find", self.files, "--name", "*.sh", "--grep", "curl http")["rows"]
        self.assertEqual([(r["path"], r["match_offset"]) for r in rows], [(str(script), 17)])
        rows = self.ask("find", self.files, "--grep-regex", "^set -[a-z]$")["rows"]
        self.assertEqual([r["match_offset"] for r in rows], [10])

    def test_find_shows_hostile_names_escaped_and_keeps_their_bytes(self):
        name = b"evil\x1b[2J\xff\n.sh"
        with open(os.path.join(os.fsencode(self.files), name), "wb"):
            pass
        row = self.ask("find", self.files, "--type", "f")["rows"][0]
        self.assertEqual(bytes.fromhex(row["name_hex"]), name)
        table = self.stack.holdfast("find", self.agent.id, self.files, "--type", "f", output="table")
        self.assertIn("evil\\x1b[2J\\xff", table.text)
        self.assertNotIn("\x1b", table.text)

    def test_find_says_what_is_wrong_before_it_asks_anybody(self):
        for words in (("--newer", "soon"), ("--type", "x"), ("--perm", "9"), ("--name", "a/b"),
                      ("--grep", "a", "--grep-regex", "a")):
            with self.subTest(words=words):
                self.stack.holdfast("find", self.agent.id, self.files, *words, expect=2)
        self.fails("BAD_ARGUMENT", ["regex"], "find", self.files, "--regex", "(")
        self.fails("NO_SUCH_FILE", [str(self.files / "missing"), "No such file"], "find",
                   self.files / "missing")

    # --- mkdir, cp, mv, rm -----------------------------------------------------------------------
    def test_a_tree_is_made_copied_moved_and_removed(self):
        deep = self.files / "a/b"
        self.fails("NO_SUCH_FILE", ["No such file"], "mkdir", deep)
        row = self.ask("mkdir", deep, "--parents", "--mode", "0700")["rows"][0]
        self.assertEqual(row["directories"], 2)
        self.assertEqual(deep.stat().st_mode & 0o7777, 0o700)
        (deep / "note").write_text("text")
        self.fails("NOT_A_FILE", ["recursive"], "cp", self.files / "a", self.files / "copy")
        row = self.ask("cp", self.files / "a", self.files / "copy", "--recursive")["rows"][0]
        self.assertEqual((row["files"], row["directories"], row["bytes"], row["failed"]), (1, 2, 4, 0))
        self.fails("BAD_ARGUMENT", ["File exists"], "mv", self.files / "a", self.files / "copy")
        self.ask("mv", self.files / "a", self.files / "moved")
        self.assertEqual((self.files / "moved/b/note").read_text(), "text")
        reply = self.stack.holdfast("rm", self.agent.id, self.files / "moved", expect=1)
        self.assertIn("--recursive", reply.err)
        rows = self.ask("rm", self.files / "moved", self.files / "copy", "-R")["rows"]
        self.assertEqual([(r["files"], r["directories"]) for r in rows], [(1, 2), (1, 2)])
        self.assertEqual(list(self.files.iterdir()), [])

    def test_rm_refuses_the_root_and_the_agents_own_state(self):
        self.fails("BAD_ARGUMENT", ["/"], "rm", "/", "--recursive")
        self.fails("PERMISSION", [str(self.agent.state)], "rm", self.agent.state, "--recursive")
        self.fails("PERMISSION", [str(self.stack.dir)], "rm", self.stack.dir, "--recursive")
        self.assertTrue(self.agent.state.is_dir())
        self.assertTrue(self.files.is_dir())

    # --- tail ------------------------------------------------------------------------------------
    def test_tail_prints_the_last_lines_as_they_are(self):
        log = self.files / "log"
        log.write_text("".join(f"line {i}\n" for i in range(100)))
        reply = self.stack.holdfast("tail", self.agent.id, log, "-n", "2", output=None)
        self.assertEqual(reply.out, b"line 98\nline 99\n")
        self.assertEqual(self.ask("tail", log, "-n", "1")["stdout"], "line 99\n")
        self.fails("NO_SUCH_FILE", ["missing"], "tail", self.files / "missing")

    def test_tail_follows_through_a_rotation_and_ctrl_c_cancels_it(self):
        log = self.files / "log"
        log.write_text("first\n")
        running = self.stack.holdfast_begin("tail", self.agent.id, log, "-f", output=None)
        self.addCleanup(running.kill)
        seen = b""

        def sees(text):
            nonlocal seen
            while text not in seen:
                piece = os.read(running.stdout.fileno(), 4096)
                self.assertTrue(piece, seen)
                seen += piece
        sees(b"first\n")
        with open(log, "a") as out:
            out.write("second\n")
        sees(b"second\n")
        log.rename(self.files / "log.1")
        log.write_text("third\n")
        sees(b"third\n")
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
        self.assertEqual(running.returncode, 130)
        self.assertIn("is cancelled", err.decode())
        wait_for(lambda: self.stack.holdfast("jobs", "--open").json() == [], 20,
                 "the tail goes on")
        job = next(j for j in self.stack.holdfast("jobs").json() if j["verb"] == "tail")
        told = self.stack.holdfast("job", job["job"]).json()
        self.assertEqual(told["deliveries"][0]["outcome"], "CANCELLED")

    def test_tail_ends_at_its_wall_limit(self):
        log = self.files / "log"
        log.write_text("x\n")
        answer = self.fails("WALL_LIMIT", ["2000 ms"], "tail", log, "-f", "--max-time", "2s")
        self.assertEqual(answer["stdout"], "x\n")

    # --- archive ---------------------------------------------------------------------------------
    def test_archive_brings_a_tree_as_one_tar_file(self):
        tree = self.files / "tree"
        tree.mkdir()
        big = os.urandom(3_000_001)
        (tree / "big").write_bytes(big)
        (tree / ("n" * 180)).write_text("long name")
        (tree / "link").symlink_to("big")
        (tree / "big").chmod(0o640)
        target = self.files / "got.tar"
        answer = self.ask("archive", tree, "/etc/passwd", "--as", target)
        self.assertEqual(answer["path"], str(target))
        self.assertEqual(answer["remote_paths"], [str(tree), "/etc/passwd"])
        with tarfile.open(target) as tar:
            root = str(tree).lstrip("/")
            self.assertEqual(tar.extractfile(f"{root}/big").read(), big)
            self.assertEqual(tar.getmember(f"{root}/big").mode, 0o640)
            self.assertEqual(tar.getmember(f"{root}/link").linkname, "big")
            self.assertIn(f"{root}/{'n' * 180}", tar.getnames())
            self.assertEqual(tar.getmember("etc/passwd").uname, "root")
        before = target.read_bytes()
        reply = self.stack.holdfast("archive", self.agent.id, tree, "--as", target, expect=None)
        self.assertNotEqual(reply.status, 0)
        self.assertIn("--force", reply.err)
        self.assertEqual(target.read_bytes(), before)
        self.ask("archive", "/etc/passwd", "--as", target, "--force")
        with tarfile.open(target) as tar:
            self.assertEqual(tar.getnames(), ["etc/passwd"])
        self.assertEqual([p.name for p in self.files.iterdir() if p.name not in ("tree", "got.tar")], [])

    def test_archive_of_what_cannot_be_read_says_so_and_of_what_is_missing_brings_nothing(self):
        tree = self.stack.dir / "tree"  # a socket's path has 107 bytes at most
        tree.mkdir()
        (tree / "file").write_text("x")
        with subprocess.Popen(["python3", "-c", "import socket,sys,time\n"
                               "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])\n"
                               "time.sleep(60)", str(tree / "sock")]) as holder:
            wait_for((tree / "sock").exists, 10, "no socket")
            into = self.files / "into"
            answer = self.ask("archive", tree, "-d", into)
            holder.kill()
        self.assertIn(str(tree / "sock"), answer["message"])
        self.assertTrue(answer["path"].endswith("/tree.tar"), answer["path"])
        self.fails("NO_SUCH_FILE", ["missing"], "archive", tree, self.files / "missing", "-d", into)
        self.assertEqual(len(list(into.rglob("*.tar*"))), 1)


if __name__ == "__main__":
    main()
