#!/usr/bin/env python3
"""What a command may take of a machine, and what it says that it took."""
import os
import pathlib
import tempfile
import time

from harness.case import FilesTest, main
from harness.procs import wait_for
from harness.stack import BIN


class LimitsTest(FilesTest):
    def took(self, verb, *argv, status=0):
        """(the job's id, its delivery)."""
        self.ask(verb, *argv, status=status)
        job = self.stack.holdfast("jobs").json()[0]["job"]
        return job, self.stack.holdfast("job", job).json()["deliveries"][0]

    def cancel_last(self, asked):
        self.stack.holdfast("cancel", self.stack.holdfast("jobs").json()[0]["job"])
        asked.communicate(timeout=30)

    def busy_worker(self):
        """The one that computes, once it has used its first burst."""
        found = []

        def is_busy():
            found[:] = [w for w in self.agent.children("worker") if w.cpu_seconds() > 0.25]
            return len(found) == 1
        wait_for(is_busy, 30, "no worker computes")
        return found[0]

    # --- the pace --------------------------------------------------------------------------------
    def endless(self):
        """SQL that computes until it is ended."""
        return "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    def test_a_long_question_takes_a_tenth_of_a_core(self):
        _, delivery = self.took("query", self.endless(), "--max-time", "5s", status=1)
        self.assertEqual(delivery["failure"], "WALL_LIMIT")
        self.assertIsNone(delivery["cpu_ms"])  # it was ended, and had no last word
        with self.stack.holdfast_begin("query", self.agent.id, self.endless(), "--max-time", "30s") as asked:
            worker = self.busy_worker()
            began, before = time.monotonic(), worker.cpu_seconds()
            time.sleep(4)
            used, wall = worker.cpu_seconds() - before, time.monotonic() - began
            polite = os.getpriority(os.PRIO_PROCESS, worker.pid)
            self.cancel_last(asked)
        self.assertEqual(polite, 10)
        self.assertLess(used, 0.1 * wall + 0.2)  # the rest of the burst, and ticks of 10 ms

    def test_who_asks_for_all_of_it_gets_more(self):
        with self.stack.holdfast_begin("query", self.agent.id, self.endless(), "--max-time", "60s",
                                       "--cpu", "100") as asked:
            worker = self.busy_worker()
            wait_for(lambda: worker.cpu_seconds() > 0.8, 60, "it does not get a core")
            self.assertEqual(os.getpriority(os.PRIO_PROCESS, worker.pid),
                             os.getpriority(os.PRIO_PROCESS, self.agent.process.pid))
            self.cancel_last(asked)

    def test_a_disk_is_read_no_faster_than_it_may(self):
        size, rate = 48 << 20, 8 << 20
        # Beside the programs, which lie on a disk; temporary files may lie in memory.
        with tempfile.TemporaryDirectory(dir=BIN) as place:
            path = pathlib.Path(place) / "large"
            path.write_bytes(os.urandom(1 << 20) * (size >> 20))
            rules = self.stack.dir / "never.yar"
            rules.write_text('rule never { strings: $x = "no such words in it" condition: $x }')
            for argv in (("hash", path), ("find", place, "--grep", "no such words"), ("scan", place, "--rules", rules)):
                with self.subTest(argv[0]):
                    with open(path, "rb+") as file:  # not from memory
                        os.fsync(file.fileno())
                        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                    began = time.monotonic()
                    self.ask(*argv, "--cpu", "100", "--disk-rate", "8MiB")
                    took = time.monotonic() - began
                    # Half a second's worth at once, and what is read ahead by then is no debt before it is looked at.
                    self.assertGreater(took, (size - rate / 2) / rate * 0.8)

    def test_a_share_is_checked_where_it_is_typed(self):
        for share in ("0", "101", "some"):
            self.stack.holdfast("query", self.agent.id, "SELECT 1", "--cpu", share, expect=2)

    # --- the footprint ---------------------------------------------------------------------------
    def test_a_job_tells_what_it_took_and_left(self):
        job, delivery = self.took("exec", "--", "/bin/sh", "-c",
                                     "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done")
        self.assertEqual(delivery["processes_started"], 1)
        self.assertEqual(delivery["files_changed"], 0)
        self.assertGreater(delivery["cpu_ms"], 0)
        self.assertGreater(delivery["peak_memory_bytes"], 200_000)
        text = self.stack.holdfast("job", job, output="table").text
        self.assertRegex(text, r"took +\d+ ms of CPU, .* of memory, .* 0 files changed, 1 program started")

    def test_files_that_a_verb_changed_are_counted(self):
        _, delivery = self.took("mkdir", self.files / "a" / "b", "--parents")
        self.assertEqual(delivery["files_changed"], 2)
        (self.files / "a" / "one").write_text("1")
        (self.files / "a" / "two").write_text("2")
        _, delivery = self.took("rm", self.files / "a", "--recursive")
        self.assertEqual(delivery["files_changed"], 4)
        _, delivery = self.took("query", "SELECT 1")
        self.assertEqual((delivery["files_changed"], delivery["processes_started"]), (0, 0))

    # --- how much there is -----------------------------------------------------------------------
    def test_an_estimate_counts_without_searching(self):
        (self.files / "sub").mkdir()
        for number in range(5):
            (self.files / "sub" / str(number)).write_bytes(b"x" * 1000)
        (self.files / "link").symlink_to("sub")
        row = self.ask("find", self.files, "--estimate", "--grep", "x")["rows"][0]
        self.assertEqual((row["directories"], row["files"], row["bytes"], row["denied"], row["complete"]),
                         (2, 6, 5000, 0, 1))
        self.assertGreater(row["fs_bytes"], 5000)
        row = self.ask("find", self.files / "sub" / "3", "--estimate")["rows"][0]
        self.assertEqual((row["directories"], row["files"], row["bytes"]), (0, 1, 1000))
        self.fails("NO_SUCH_FILE", [str(self.files / "missing")], "find", self.files / "missing",
                   "--estimate")

    def test_a_timeline_and_a_scan_have_the_estimate_of_find(self):
        place = self.files / "a_place"
        place.mkdir()
        (self.files / "a-place").mkdir()
        (self.files / "a-place" / "beside").write_text("x")
        for name, at in (("new", 2000), ("old", 1000), ("older", 500)):
            (place / name).write_bytes(b"x" * 10)
            os.utime(place / name, (at, at))
        rows = self.ask("timeline", place, "--newer", "1970-01-01T00:10")["rows"]
        self.assertEqual([(row["path"], row["mtime"]) for row in rows],
                         [(f"{place}/old", "1970-01-01 00:16:40"), (f"{place}/new", "1970-01-01 00:33:20")])
        rules = self.stack.dir / "rules.yar"
        rules.write_text("rule x { condition: true }")
        for argv in (("timeline", place), ("scan", place, "--rules", rules)):
            row = self.ask(*argv, "--estimate")["rows"][0]
            self.assertEqual((row["files"], row["bytes"], row["complete"]), (3, 30, 1))
        row = self.ask("scan", "--rules", rules, "--pid", os.getpid(), "--estimate")["rows"][0]
        self.assertEqual(row["processes"], 1)
        self.assertGreater(row["bytes"], 1 << 20)
        self.stack.holdfast("scan", self.agent.id, place, self.files, "--rules", rules, "--estimate", expect=2)

    def test_an_estimate_of_a_collection_reads_and_keeps_nothing(self):
        (self.files / "one.log").write_bytes(b"x" * 1000)
        (self.files / "two.log").write_bytes(b"x" * 500)
        here = self.stack.dir / "collected"
        here.mkdir()
        argv = ("--path", self.files / "*.log", "--into", here, "--estimate")
        answer = self.ask("collect", *argv)
        self.assertEqual((answer["files"], answer["bytes"], answer["denied"], answer["complete"]),
                         (2, 1500, 0, True))
        table = self.stack.holdfast("collect", self.agent.id, *argv, output="table").text
        self.assertRegex(table, r"2 +1\.5 kB +0 +(true|yes|1)")
        self.assertEqual(list(here.iterdir()), [])


if __name__ == "__main__":
    main()
