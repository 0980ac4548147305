#!/usr/bin/env python3
"""A backend that is gone comes back from its backup: what was done is known, what was open is ended, nothing runs twice,
and nobody is kept out. A backup that is not whole is never put in place.
"""
import fcntl
import hashlib
import io
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tarfile
import tempfile
import threading
import time
import unittest

from harness import procs
from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import BIN, Agent, set_key

LARGE = 3 * 1024 * 1024 + 17


class BackupCase(StackTest):
    def server(self):
        return self.stack.fleet / "server"

    def backup(self, file, expect=0):
        return self.stack.run("holdfastd", "backup", "--dir", self.stack.fleet, file, expect=expect)

    def restore(self, file, *options, into=None, expect=0):
        return self.stack.run("holdfastd", "restore", file, "--dir", into or self.stack.fleet, *options,
                              expect=expect)

    def begin(self, *argv, **how):
        return subprocess.Popen([str(BIN / "holdfastd"), *map(str, argv)], env=self.stack.env(),
                                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **how)

    def changed(self, file, change):
        """Another archive with a manifest that is right: `change` may do anything to its members, a dict."""
        with tarfile.open(file) as tar:
            members = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
        del members["MANIFEST"]
        change(members)
        rows = "".join(f"{hashlib.sha256(data).hexdigest()} {len(data)} {name}\n" for name, data in members.items())
        members["MANIFEST"] = (rows + f"end {hashlib.sha256(rows.encode()).hexdigest()}\n").encode()
        out = file.with_name(f"changed-{time.monotonic_ns()}.backup")
        with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return out

    def left_of(self, file):
        """What a backup that failed has left beside FILE, or in the state."""
        return [*file.parent.glob(file.name + "*"), *(self.server() / "state").glob("backup*")]


class DisasterTest(BackupCase):
    gateways = 2

    @classmethod
    def set_up_agents(cls):
        cls.steady, cls.restless, cls.away = (cls.stack.add_agent(n) for n in ("steady", "restless", "away"))
        cls.away.stop()
        cls.stack.wait_online(cls.away, online=False)
        cls.effects = cls.stack.dir / "effects"
        cls.effects.mkdir()

    def append(self, agent, name, wait=None, then=""):
        """A command that leaves a line in a file each time it runs; its job."""
        patience = ("--wait", wait) if wait else ()
        return self.stack.holdfast("exec", *patience, agent.id, "--", "sh", "-c",
                                   f"echo ran >> {self.effects / name}; {then}", expect=None).json()[0]["job"]

    def runs(self, name):
        file = self.effects / name
        return len(file.read_text().splitlines()) if file.exists() else 0

    def delivery(self, job):
        return self.stack.holdfast("job", job).json()["deliveries"][0]

    def load(self, stop, done):
        """Commands without end, beside the backup."""
        while not stop.is_set():
            name = f"load-{len(done)}"
            done.append((name, self.append(self.steady, name)))

    def test_a_backend_comes_back_from_its_backup_and_nothing_runs_twice(self):
        stack = self.stack
        source = stack.dir / "source"
        source.write_bytes(os.urandom(LARGE))
        got = stack.holdfast("get", self.steady.id, source, "-d", stack.dir / "before").json()[0]
        said = stack.holdfast("exec", self.restless.id, "--", "echo", "remember this").json()[0]
        queued = self.append(self.away, "queued", wait="0")
        asleep = self.append(self.steady, "asleep", wait="0", then="exec sleep 65431")
        wait_for(lambda: self.runs("asleep"), 20, "the command does not start")
        old_bundle = stack.bundle("--uses", "2")

        file = stack.dir / "fleet.backup"
        stop, done = threading.Event(), []
        load = threading.Thread(target=self.load, args=(stop, done))
        load.start()
        try:
            wait_for(lambda: len(done) > 3, 30, "no load")
            self.assertIn("as of ", self.backup(file).text)
            wait_for(lambda count=len(done): len(done) > count, 30, "the backup ended the load")
        finally:
            stop.set()
            load.join()
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.left_of(file), [file])
        with tarfile.open(file) as tar:  # any tar can read it
            names = tar.getnames()
        self.assertIn("state/ledger.db", names)
        for secret in ("root-1.key", "issuer.key", "ca.key", "default.key"):
            self.assertFalse([n for n in names if n.endswith(secret)], names)
        self.assertIn("whole", stack.run("holdfastd", "restore", file, "--check").text)

        # What the backup does not know: runs, an end, a link, an enrolment, a spent token.
        self.append(self.restless, "since")
        stack.holdfast("cancel", "--wait", "0", queued, expect=None)
        self.assertEqual(self.delivery(queued)["outcome"], "CANCELLED")
        self.restless.stop()
        self.restless.start()
        stack.wait_online(self.restless)
        late = Agent(stack, "late")
        stack.agents["late"] = late
        late.enrol(old_bundle)
        late.start()
        stack.wait_online(late)

        stack.stop_backend(signal.SIGKILL)
        shutil.rmtree(self.server())
        self.assertIn("agents 3; ", self.restore(file).text)
        stack.start()
        began = time.monotonic()
        stack.wait_online(self.steady, self.restless, seconds=60)
        print(f"  agents are back {time.monotonic() - began:.1f} s after the restored backend was ready", flush=True)

        # What had ended is there, byte for byte.
        again = stack.dir / "again"
        stack.holdfast("results", got["job"], "-d", again)
        (copy,) = [p for p in again.rglob("*") if p.is_file()]
        self.assertEqual(hashlib.sha256(copy.read_bytes()).hexdigest(),
                         hashlib.sha256(source.read_bytes()).hexdigest())
        self.assertEqual(stack.holdfast("results", said["job"], output=None).text, "remember this\n")
        self.assertIn("one unbroken chain", stack.holdfast("audit", "--verify", output=None).text)
        rows = [r["action"] for r in stack.holdfast("audit").json()]
        self.assertEqual(rows.count("ledger.restored"), 1)

        # What was open is ended, on both sides.
        for job in (queued, asleep):
            end = self.delivery(job)
            self.assertEqual((end["outcome"], end["failure"]), ("INTERRUPTED", "JOURNAL_LOST"), end)
        sleepers = lambda: [p for p in procs.all_processes() if p.argv == ["sleep", "65431"]]
        wait_for(lambda: not sleepers(), 20, "a command that nobody can see any more goes on")
        self.assertEqual(stack.holdfast("jobs", "--open").json(), [])
        self.assertFalse([r for r in stack.agent_rows().values() if r["clone_suspected"]])

        # New work is done, also by who was away; nothing of before runs again.
        self.away.start()
        stack.wait_online(self.away, seconds=60)
        for agent in (self.steady, self.restless, self.away):
            def served(agent=agent):
                return stack.holdfast("query", agent.id, "SELECT 1 AS one", expect=None).json()[0]["outcome"] == "DONE"
            wait_for(served, 30, stack.logs, every=0.5)
        self.append(self.steady, "after")
        time.sleep(6)  # a repeat comes after 5 s
        self.assertEqual(self.runs("queued"), 0)  # it was cancelled, and the backup did not know
        for name in ["asleep", "since", "after", *(name for name, _ in done)]:
            self.assertEqual(self.runs(name), 1, name)

        # Who enrolled since is told so, and gets in with a new token: same key, same id.
        wait_for(lambda: "not_enrolled" in late.log.read_text(), 60, lambda: late.log.read_text()[-2000:])
        late.stop()
        identity = late.id
        spent = late.enrol(old_bundle, expect=None)
        self.assertNotEqual(spent.status, 0, spent)  # every token of before is void
        late.enrol(stack.bundle())
        self.assertEqual(late.id, identity)
        late.start()
        stack.wait_online(late)


class RefusalTest(BackupCase):
    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")
        cls.stack.holdfast("query", cls.agent.id, "SELECT 1 AS one")
        cls.good = cls.stack.dir / "good.backup"
        cls.stack.run("holdfastd", "backup", "--dir", cls.stack.fleet, cls.good)

    def new_place(self):
        place = self.stack.dir / f"place-{time.monotonic_ns()}"
        return place

    def test_a_backup_that_fails_leaves_nothing(self):
        file = self.stack.dir / "failed.backup"
        begun = lambda: self.stack.log.read_text().count("event=backup_started")
        with self.subTest("the file is there already"):
            self.assertIn("is there already", self.backup(self.good, expect=1).err)
        with self.subTest("its folder is not there"):
            self.backup(self.stack.dir / "none/file", expect=1)
        (control,) = self.stack.processes("control")
        with self.subTest("Ctrl-C"):
            os.kill(control.pid, signal.SIGSTOP)
            try:
                backup = self.begin("backup", "--dir", self.stack.fleet, file)
                wait_for(lambda: self.left_of(file), 10, "it does not begin")
                backup.send_signal(signal.SIGINT)
                self.assertIn(b"interrupted", backup.communicate(timeout=10)[1])
                self.assertEqual(backup.returncode, 1)
                self.assertEqual(list(file.parent.glob("failed.backup*")), [])
            finally:
                os.kill(control.pid, signal.SIGCONT)
            wait_for(lambda: not self.left_of(file), 10, lambda: str(self.left_of(file)))
        with self.subTest("killed while it writes, and control takes its copy away"):
            read, write = os.pipe()  # nobody reads it, and less than a backup fits in
            fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
            before = begun()  # what is left of the one before may still be on its way out
            backup = self.begin("backup", "--dir", self.stack.fleet, "-", stdout=write)
            wait_for(lambda: begun() > before, 10, "it does not begin")
            second = self.backup(file, expect=1)
            self.assertIn("another backup is under way", second.err)
            backup.kill()
            backup.communicate()
            os.close(read)
            os.close(write)
            wait_for(lambda: not self.left_of(file), 10, lambda: str(self.left_of(file)))
        with self.subTest("no room"):
            small = self.stack.dir / "small"
            small.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", small], check=True)
            try:
                self.assertIn("the backup needs", self.backup(small / "file", expect=1).err)
                self.assertEqual(list(small.iterdir()), [])
            finally:
                subprocess.run(["umount", small], check=True)
        with self.subTest("control dies meanwhile"):
            before = begun()
            os.kill(control.pid, signal.SIGSTOP)
            backup = self.begin("backup", "--dir", self.stack.fleet, file)
            wait_for(lambda: begun() > before, 10, "it does not begin")
            control.kill()
            self.assertIn(b"control ended before the backup was whole", backup.communicate(timeout=20)[1])
            self.stack.wait_ready()
            self.stack.wait_online(self.agent)
            self.assertEqual(self.left_of(file), [])
        self.backup(file)  # and after all that it can
        self.assertIn("whole", self.stack.run("holdfastd", "restore", file, "--check").text)

    def test_a_pipe_is_as_good_as_a_file(self):
        made = subprocess.run([BIN / "holdfastd", "backup", "--dir", self.stack.fleet, "-"], env=self.stack.env(),
                              capture_output=True, check=True)
        checked = subprocess.run([BIN / "holdfastd", "restore", "-", "--check"], input=made.stdout,
                                 env=self.stack.env(), capture_output=True, check=True)
        self.assertIn(b"whole", checked.stdout)

    def test_what_is_not_whole_is_not_put_in_place(self):
        whole = self.good.read_bytes()
        schema_at = whole.index(b"\nschema ") + len(b"\nschema ")
        bad = {
            "cut off": (whole[:len(whole) // 2], "not whole"),
            "one bit": (whole[:-9000] + bytes([whole[-9000] ^ 1]) + whole[-8999:], ""),
            "of a later program": (whole[:schema_at] + b"9" + whole[schema_at + 1:], "is newer than what this one"),
            "something else": (b"PK" + bytes(5000), "no archive"),
            "nothing": (b"", "not whole"),
        }
        for what, (content, words) in bad.items():
            with self.subTest(what):
                file = self.stack.dir / "bad.backup"
                file.write_bytes(content)
                place = self.new_place()
                reply = self.restore(file, into=place, expect=1)
                self.assertIn(words, reply.err)
                self.assertFalse(place.exists(), list(place.rglob("*")) if place.exists() else "")
                self.stack.run("holdfastd", "restore", file, "--check", expect=1)
        place = self.new_place()
        self.restore(self.good, into=place)
        self.assertEqual(sorted(p.name for p in place.iterdir()), ["server"])
        self.assertEqual((place / "server").stat().st_mode & 0o777, 0o700)
        for name in ("holdfastd.toml", "policy.env", "tls/server.key", "tls/ca.crt", "redis.users"):
            self.assertEqual((place / "server" / name).read_bytes(), (self.server() / name).read_bytes(), name)

    def test_what_is_there_is_refused_or_moved_aside(self):
        place = self.new_place()
        self.restore(self.good, into=place)
        (place / "server/mine").write_text("kept")
        self.assertIn("is not empty", self.restore(self.good, into=place, expect=1).err)
        self.assertIn("what was there is now", self.restore(self.good, "--replace", into=place).text)
        (aside,) = place.glob("server.before-*")
        self.assertEqual((aside / "mine").read_text(), "kept")
        self.assertFalse((place / "server/mine").exists())
        self.assertEqual(sorted(p.name for p in place.iterdir()), ["server", aside.name])
        with self.subTest("not under a holdfastd that runs"):
            reply = self.restore(self.good, "--replace", expect=1)
            self.assertIn("a holdfastd runs on", reply.err)
            self.assertTrue((self.server() / "state/ledger.db").exists())

    def test_state_that_lies_elsewhere_comes_back_where_it_was(self):
        place, state = self.new_place(), self.new_place()
        self.restore(self.good, into=place)
        config = place / "server/holdfastd.toml"
        config.write_text(config.read_text().replace('dir = "state"', f'dir = "{state}"'))
        (place / "server/state").rename(state)
        file = self.stack.dir / "elsewhere.backup"
        self.stack.run("holdfastd", "backup", "--dir", place, file)  # none runs there
        shutil.rmtree(place)
        self.assertIn("is not empty", self.restore(file, "--state", state, into=place, expect=1).err)
        self.assertFalse(place.exists())
        shutil.rmtree(state)
        self.assertIn(f"add --state {state}", self.restore(file, into=place, expect=1).err)
        self.assertFalse(place.exists() or state.exists())
        self.restore(file, "--state", state, into=place)
        self.assertTrue((state / "ledger.db").exists())
        self.assertFalse((place / "server/state").exists())
        self.assertEqual(list(self.stack.dir.glob("*.restoring")), [])

    def test_damage_on_the_backends_disk_is_said_and_the_rest_is_saved(self):
        source = self.stack.dir / "source"
        source.write_bytes(os.urandom(LARGE))
        self.stack.holdfast("get", self.agent.id, source, "-d", self.stack.dir / "got")
        results = self.server() / "state/results"
        (sealed,) = [p for p in results.glob("??/*")]
        content = sealed.read_bytes()
        file = self.stack.dir / "damaged.backup"
        sealed.chmod(0o600)
        sealed.write_bytes(b"x" + content[1:])
        reply = self.backup(file, expect=1)
        self.assertIn(f"{sealed} is damaged", reply.err)
        self.assertIn("whole", self.stack.run("holdfastd", "restore", file, "--check").text)
        file.unlink()
        sealed.unlink()
        with self.subTest("missing"):
            self.assertIn("left out", self.backup(file, expect=1).err)
            self.assertIn("whole", self.stack.run("holdfastd", "restore", file, "--check").text)
            file.unlink()
        with self.subTest("cannot be opened"):
            sealed.symlink_to(source)  # is not followed
            self.assertIn("left out", self.backup(file, expect=1).err)
            self.assertIn("whole", self.stack.run("holdfastd", "restore", file, "--check").text)
            sealed.unlink()
        sealed.write_bytes(content)

    def test_a_backup_is_obeyed_in_its_own_place_alone(self):
        for what, name, content in (("in the state", "state/run/lock", b"1"),
                                    ("beside the ledger", "state/ledger.db-wal", b"1"),
                                    ("in the state, as configuration", "server/state/ledger.db-wal", b"1")):
            with self.subTest(what):
                file = self.changed(self.good, lambda m: m.__setitem__(name, content))
                place = self.new_place()
                self.assertIn(f"{name} does not belong in a backup", self.restore(file, into=place, expect=1).err)
                self.assertFalse(place.exists())
        config = "server/holdfastd.toml"
        for what, state, words in (("elsewhere", "/etc/holdfast-test-state", "--state /etc/holdfast-test-state"),
                                   ("above", "..", "cannot be restored"), ("itself", ".", "cannot be restored")):
            with self.subTest(what):
                file = self.changed(self.good, lambda m: m.__setitem__(
                    config, set_key(m[config].decode(), "state", "dir", state).encode()))
                place = self.new_place()
                self.assertIn(words, self.restore(file, into=place, expect=1).err)
                self.assertFalse(place.exists())
        with self.subTest("a ledger that is none"):
            def damage(members):
                ledger = members["state/ledger.db"]
                members["state/ledger.db"] = ledger[:4096] + b"\xff" * 4096 + ledger[8192:]
            place = self.new_place()
            self.assertIn("is damaged", self.restore(self.changed(self.good, damage), into=place, expect=1).err)
            self.assertFalse(place.exists())

    def test_what_a_proxy_in_front_serves_is_in_the_backup_too(self):
        place = self.new_place()
        self.restore(self.good, into=place)
        config = place / "server/holdfastd.toml"
        text = set_key(config.read_text(), "tls", "plain", True)
        config.write_text(set_key(text, "proxies", "trusted", ["127.0.0.1"]))
        file = self.stack.dir / "plain.backup"
        self.stack.run("holdfastd", "backup", "--dir", place, file)
        with tarfile.open(file) as tar:
            names = tar.getnames()
        self.assertIn("server/tls/server.crt", names)
        self.assertIn("server/tls/server.key", names)
        file.unlink()
        (place / "server/tls/server.key").unlink()  # it may be the proxy's alone
        self.stack.run("holdfastd", "backup", "--dir", place, file)

    def fed(self, place, *options):
        """A restore that has got half of its backup, and waits; and what gives it the rest."""
        pipe = self.stack.dir / f"pipe-{time.monotonic_ns()}"
        os.mkfifo(pipe)
        restore = self.begin("restore", pipe, "--dir", place, *options, stdout=subprocess.DEVNULL)
        feed = open(pipe, "wb", buffering=0)
        whole = self.good.read_bytes()
        feed.write(whole[:len(whole) // 2])
        wait_for(lambda: (place / "server.restoring").exists(), 20, "it does not begin")

        def rest():
            feed.write(whole[len(whole) // 2:])
            feed.close()
            said = restore.communicate(timeout=60)[1].decode()
            return restore.returncode, said
        return restore, rest

    def locked(self, file):
        with open(file, "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return False
            except BlockingIOError:
                return True

    def test_no_backend_can_start_under_a_restore(self):
        place, state = self.new_place(), self.new_place()
        self.restore(self.good, into=place)
        config = place / "server/holdfastd.toml"
        text = config.read_text()
        config.write_text(set_key(text, "state", "dir", str(state)))
        locks = [place / "server/state/run/lock", state / "run/lock"]
        for lock in locks:
            lock.parent.mkdir(parents=True)
            lock.write_text("4711")
        for lock in locks:
            with self.subTest(f"one runs on {lock.parent.parent}"), open(lock, "rb") as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                self.assertIn("a holdfastd runs on", self.restore(self.good, "--replace", into=place, expect=1).err)
        with self.subTest("none can until it has ended"):
            _, rest = self.fed(place, "--replace")
            self.assertEqual([self.locked(lock) for lock in locks], [True, True])
            status, said = rest()
            self.assertEqual(status, 0, said)
            self.assertFalse(self.locked(locks[1]))
            self.assertEqual(locks[1].read_text(), "4711")
        with self.subTest("one that began where no lock was yet"):
            place = self.new_place()
            place.mkdir()
            _, rest = self.fed(place, "--replace")
            (place / "server/state/run").mkdir(parents=True)
            with open(place / "server/state/run/lock", "w") as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                status, said = rest()
            self.assertEqual(status, 1, said)
            self.assertIn("a holdfastd runs on", said)
            self.assertTrue((place / "server/state/run/lock").exists())

    def test_a_lock_that_is_a_link_leads_nowhere(self):
        place = self.new_place()
        self.restore(self.good, into=place)
        victim = self.stack.dir / "victim"
        victim.write_text("precious")
        (place / "server/state/run").mkdir()
        (place / "server/state/run/lock").symlink_to(victim)
        self.restore(self.good, "--replace", into=place, expect=1)
        self.assertEqual(victim.read_text(), "precious")

    def test_root_has_the_rights_of_the_directorys_owner_alone(self):
        nobody = 65534
        with tempfile.TemporaryDirectory() as outer:
            os.chmod(outer, 0o755)
            place = pathlib.Path(outer) / "fleet"
            place.mkdir()
            os.chown(place, nobody, nobody)
            restore, rest = self.fed(place)
            status = pathlib.Path(f"/proc/{restore.pid}/status").read_text()
            self.assertIn(f"\t{nobody}\t", status.split("Uid:")[1].splitlines()[0])
            self.assertIn(f"\t{nobody}\t", status.split("Gid:")[1].splitlines()[0])
            self.assertEqual(status.split("Groups:")[1].splitlines()[0].split(), [str(nobody)])
            code, said = rest()
            self.assertEqual(code, 0, said)
            made = list(place.rglob("*"))
            self.assertIn(place / "server/state/ledger.db", made)
            self.assertEqual({(p.lstat().st_uid, p.lstat().st_gid) for p in made}, {(nobody, nobody)})

            # A backup's file is root's, and what is read for it is read as the owner.
            file = self.stack.dir / "owned.backup"  # in a directory that the owner cannot look into
            secret = self.stack.dir / "secret"
            secret.write_text("of root")
            secret.chmod(0o600)
            self.stack.run("holdfastd", "backup", "--dir", place, file)
            self.assertEqual(file.stat().st_uid, os.getuid())
            self.assertEqual({p.lstat().st_uid for p in place.rglob("*")}, {nobody})
            file.unlink()
            (place / "server/policy.env").unlink()
            (place / "server/policy.env").symlink_to(secret)
            self.stack.run("holdfastd", "backup", "--dir", place, file, expect=1)
            self.assertFalse(file.exists())

    def test_a_volume_in_the_way_is_said_before_anything_is_read(self):
        place = self.new_place()
        self.restore(self.good, into=place)
        for where in ("server/state", "server"):
            with self.subTest(where):
                subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place / where], check=True)
                try:
                    reply = self.restore(self.good, "--replace", into=place, expect=1)
                finally:
                    subprocess.run(["umount", place / where], check=True)
                self.assertIn(f"{place / where} is a volume of its own", reply.err)
        with self.subTest("no room"):
            place = self.new_place()
            place.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place], check=True)
            try:
                self.assertIn("what is in the backup needs", self.restore(self.good, into=place, expect=1).err)
                self.assertEqual(list(place.iterdir()), [])
            finally:
                subprocess.run(["umount", place], check=True)

    def test_a_restore_that_fails_half_way_moves_back_what_it_moved(self):
        place, state = self.new_place(), self.new_place()
        self.restore(self.good, into=place)
        config = place / "server/holdfastd.toml"
        config.write_text(set_key(config.read_text(), "state", "dir", str(state)))
        (place / "server/state").rename(state)
        (state / "mine").write_text("kept")
        file = self.stack.dir / "half.backup"
        self.stack.run("holdfastd", "backup", "--dir", place, file)
        server = place / "server"
        subprocess.run(["mount", "--bind", server, server], check=True)  # cannot be renamed
        try:
            self.restore(file, "--replace", "--state", state, into=place, expect=1)
        finally:
            subprocess.run(["umount", server], check=True)
        self.assertEqual((state / "mine").read_text(), "kept")
        self.assertEqual([p.name for p in place.iterdir()], ["server"])
        self.assertEqual(list(state.parent.glob(state.name + "*")), [state])

    def test_an_older_program_refuses_a_newer_ledger_at_once_and_says_why(self):
        place = self.new_place()
        self.restore(self.good, into=place)
        ledger = sqlite3.connect(place / "server/state/ledger.db")
        ledger.execute("PRAGMA user_version=1000")
        ledger.close()
        for words in (["--dir", place], ["check-config", "--dir", place]):
            reply = self.stack.run("holdfastd", *words, expect=2)
            self.assertIn("written by a newer holdfastd (schema 1000)", reply.err)

    def test_a_backup_leaves_an_older_ledger_as_it_is(self):
        place = self.new_place()
        self.restore(self.good, into=place)
        file = place / "server/state/ledger.db"
        ledger = sqlite3.connect(file)
        ledger.execute("PRAGMA user_version=0")
        ledger.close()
        before = file.read_bytes()
        reply = self.stack.run("holdfastd", "backup", "--dir", place, self.stack.dir / "older.backup", expect=1)
        self.assertIn("is of an older holdfastd (schema 0)", reply.err)
        self.assertEqual(file.read_bytes(), before)


if __name__ == "__main__":
    main()
