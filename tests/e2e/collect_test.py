#!/usr/bin/env python3
"""Collections: what is brought home, how it is checked offline, and what hostile files and cut links do to it."""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import zipfile

from harness import procs
from harness.case import AgentTest, main
from harness.procs import wait_for
from harness.stack import BIN

DEFINITIONS = """---
name: TestHistory
doc: Histories of the fixture's homes.
sources:
- type: FILE
  attributes:
    paths: ['%%users.homedir%%/.bash_history', '%%users.homedir%%/.ssh/*', '%%users.homedir%%/nothing/*']
supported_os: [Linux]
---
name: TestTree
doc: A tree.
sources:
- type: FILE
  attributes:
    paths: ['{files}/**10']
- type: PATH
  attributes:
    paths: ['{files}/*']
---
name: TestProgram
doc: A program.
sources:
- type: COMMAND
  attributes:
    cmd: /bin/sh
    args: ['-c', 'echo out; echo err >&2']
---
name: TestRegistry
doc: Windows.
sources:
- type: REGISTRY_KEY
  attributes: {{keys: ['HKLM']}}
supported_os: [Windows]
---
name: TestAll
doc: All of these.
sources:
- type: ARTIFACT_GROUP
  attributes: {{names: [TestHistory, TestTree, TestProgram, TestRegistry, TestMissing]}}
"""


class CollectTest(AgentTest):
    @classmethod
    def set_up_agents(cls):
        """The agent sees homes and accounts of ours, where this machine lets us."""
        cls.fixture = cls.stack.dir / "fixture"
        home = cls.fixture / "home/ada"
        (home / ".ssh").mkdir(parents=True)
        (home / ".bash_history").write_text("curl http://example.com/x | sh\n")
        (home / ".ssh/authorized_keys").write_text("ssh-ed25519 AAAA ada\n")
        (cls.fixture / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n")
        cls.agent = cls.stack.add_agent("a", start=False)
        cls.start_agent()

    @classmethod
    def start_agent(cls):
        run = [str(BIN / "holdfast-agent"), "run", "--state", str(cls.agent.state)]
        script = (f"mount --bind {cls.fixture}/passwd /etc/passwd && mount --bind {cls.fixture}/home /home && "
                  'exec "$@"')
        inside = ["unshare", "-m", "sh", "-c", script, "sh"]
        cls.has_homes = subprocess.run([*inside, "true"], check=False, capture_output=True).returncode == 0
        with open(cls.agent.log, "ab") as log:
            cls.agent.process = subprocess.Popen(
                [*(inside if cls.has_homes else []), *run], env=cls.stack.env(), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=procs.end_with_parent)
        cls.stack.wait_online(cls.agent)

    def setUp(self):
        super().setUp()
        self.dir = self.stack.dir / self.id().rsplit(".", 1)[-1][:60]
        self.files = self.dir / "tree"
        self.files.mkdir(parents=True)
        self.definitions = self.dir / "definitions"
        self.definitions.mkdir()
        (self.definitions / "test.yaml").write_text(DEFINITIONS.format(files=self.files))
        self.zip = self.dir / "got.zip"

    def collect(self, *words, status=0):
        return self.ask("collect", "-D", self.definitions, "--as", self.zip, *words, status=status)

    def verify(self, path=None, status=0):
        return self.stack.holdfast("verify", path or self.zip, expect=status)

    def things(self, path=None):
        with zipfile.ZipFile(path or self.zip) as got:
            return json.loads(got.read("manifest.json"))["things"]

    # --- what comes --------------------------------------------------------------------------------
    def test_a_collection_by_definitions_comes_with_its_facts_and_verifies(self):
        log = self.files / "app.log"
        log.write_text("one\n" * 1000)
        log.chmod(0o640)
        os.utime(log, ns=(10**18, 2 * 10**18))
        answer = self.ask("collect", "-D", self.definitions, "-d", self.dir / "into", "TestAll")
        self.assertEqual(answer["outcome"], "DONE")
        self.assertTrue(answer["complete"])
        self.assertTrue(answer["path"].endswith(f"collection-{answer['job'][:12]}.zip"), answer["path"])
        self.assertEqual(log.stat().st_atime_ns, 10**18, "reading leaves no trace")
        things = {t["path"]: t for t in self.things(answer["path"]) if t["kind"] == "file"}
        thing = things[str(log)]
        self.assertEqual(thing["sha256"], hashlib.sha256(log.read_bytes()).hexdigest())
        self.assertEqual((thing["mode"], thing["size"], thing["user"]), ("0640", 4000, "root"))
        self.assertEqual((thing["atime_ns"], thing["mtime_ns"]), (10**18, 2 * 10**18))
        self.assertFalse(thing["unstable"])
        with zipfile.ZipFile(answer["path"]) as got:
            self.assertEqual(got.read(thing["entry"]), log.read_bytes())
            manifest = got.read("manifest.json")
        self.assertEqual(hashlib.sha256(manifest).hexdigest(), answer["manifest_sha256"])
        sources = json.loads(manifest)["sources"]
        self.assertIn("%%users.homedir%%/nothing/*", sources[0]["unmatched"])
        checked = self.verify(answer["path"]).json()
        self.assertEqual((checked["verified"], checked["agent_id"], checked["signer"]),
                         (True, self.agent.id, "of this fleet"))
        self.assertEqual(checked["manifest_sha256"], answer["manifest_sha256"])
        # Again by the job's number, as long as the backend has it.
        again = self.stack.holdfast("results", answer["job"], "-d", self.dir / "again").json()[0]
        self.assertEqual(again["manifest_sha256"], answer["manifest_sha256"])
        second = self.stack.holdfast("results", answer["job"], "-d", self.dir / "again").json()[0]
        self.assertTrue(second["path"].endswith(f"collection-{answer['job'][:12]}.2.zip"), second["path"])
        self.verify(again["path"])

    def test_homes_are_those_of_the_endpoint(self):
        if not self.has_homes:
            self.collect("--path", "%%users.homedir%%/.profile*")
            return
        self.collect("TestHistory")
        paths = {t["path"] for t in self.things()}
        self.assertLessEqual({"/home/ada/.bash_history", "/home/ada/.ssh/authorized_keys"}, paths)

    def test_the_triage_comes_in_order_of_volatility(self):
        answer = self.collect("triage")
        self.assertEqual(answer["outcome"], "DONE")
        self.assertGreater(answer["answers"], 20)
        self.verify()
        with zipfile.ZipFile(self.zip) as got:
            names = got.namelist()
            rows = [json.loads(line) for line in
                    got.read("tables/HoldfastProcesses.processes.jsonl").splitlines()]
        self.assertTrue(any("holdfast-agent" in row["path"] for row in rows if row["path"]))
        self.assertLess(names.index("tables/HoldfastProcesses.processes.jsonl"), names.index("files/etc/passwd"))
        failed = [t for t in self.things() if t["kind"] == "query" and t["failure"]]
        self.assertEqual(failed, [])

    # --- hostile things -----------------------------------------------------------------------------
    def test_hostile_names_and_files_are_exact_in_the_manifest_and_end_nothing(self):
        root = os.fsencode(self.files)
        names = [b"new\nline", b"esc\x1b[2J", b"bad\xff\xfe", b"..%2f..", b"nul", "grüße".encode(), b"CON.txt", b" ",
                 b"Case", b"case", b"-rf", b"$(id)", b'"quote\'s"']
        for name in names:
            with open(os.path.join(root, name), "wb") as out:
                out.write(b"content of " + name)
        os.mkfifo(self.files / "fifo")
        os.symlink("/dev/zero", self.files / "zero")
        os.symlink("loop", self.files / "loop")
        os.symlink("/etc/hostname", self.files / "elsewhere")
        with open(self.files / "sparse", "wb") as out:
            out.truncate(1 << 40)
        deep = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        for _ in range(9):
            os.mkdir(b"d" * 250, dir_fd=deep)
            below = os.open(b"d" * 250, os.O_RDONLY | os.O_DIRECTORY, dir_fd=deep)
            os.close(deep)
            deep = below
        os.close(os.open(b"deepest", os.O_CREAT | os.O_WRONLY, dir_fd=deep))
        os.close(deep)
        began = time.monotonic()
        answer = self.collect("TestTree", "--path", "/proc/kmsg", "--path", "/sys/kernel/tracing/trace_pipe")
        self.assertLess(time.monotonic() - began, 30)
        self.assertEqual(answer["outcome"], "DONE")
        self.assertGreaterEqual(answer["failed"], 3)
        self.assertEqual(answer["left_out"], 1)
        self.verify()
        things = {bytes.fromhex(t["path_hex"]) if "path_hex" in t else t["path"].encode(): t
                  for t in self.things() if t["kind"] == "file"}
        with zipfile.ZipFile(self.zip) as got:
            for name in names:
                thing = things[os.path.join(root, name)]
                self.assertEqual(got.read(thing["entry"]), b"content of " + name)
            for entry in got.namelist():
                self.assertTrue(entry.isascii() and entry.isprintable(), entry)
                self.assertFalse(entry.startswith("/") or ".." in entry.split("/") or "\\" in entry, entry)
            lowered = [entry.lower() for entry in got.namelist()]
            self.assertEqual(len(lowered), len(set(lowered)))
        self.assertEqual(things[os.path.join(root, b"fifo")]["failure"], "NOT_A_FILE")
        self.assertEqual(things[os.path.join(root, b"zero")]["failure"], "NOT_A_FILE")
        self.assertEqual(things[os.path.join(root, b"sparse")]["failure"], "OUTPUT_LIMIT")
        self.assertEqual(things[os.path.join(root, b"elsewhere")]["link_target"], "/etc/hostname")
        table = self.stack.holdfast("collect", self.agent.id, "-D", self.definitions, "-d", self.dir, "TestTree",
                                    output="table")
        self.assertNotIn("\x1b", table.text + table.err)

    def test_a_log_that_grows_is_cut_where_it_was_and_marked(self):
        log = self.files / "growing"
        log.write_bytes(b"x" * 300_000_000)
        with open(log, "ab", buffering=0) as out:
            running = self.stack.holdfast_begin("collect", self.agent.id, "--as", self.zip, "--path", log)
            self.addCleanup(running.kill)
            while running.poll() is None:
                out.write(b"more")
                time.sleep(0.002)
        self.assertEqual(running.returncode, 0, running.stderr.read())
        running.communicate()
        self.assertTrue(self.things()[0]["unstable"])
        self.verify()

    # --- what may be collected ----------------------------------------------------------------------
    def test_programs_run_only_if_that_is_said_and_signed_as_an_act(self):
        reply = self.stack.holdfast("collect", self.agent.id, "-D", self.definitions, "--as", self.zip, "TestAll")
        self.assertIn("--commands", reply.err)
        self.zip.unlink()
        self.collect("TestProgram", "--commands")
        with zipfile.ZipFile(self.zip) as got:
            self.assertEqual(got.read("programs/TestProgram.sh.stdout"), b"out\n")
            self.assertEqual(got.read("programs/TestProgram.sh.stderr"), b"err\n")
        self.verify()
        job = self.stack.holdfast("jobs", "--limit", "1").json()[0]
        self.assertIn('run: "/bin/sh" "-c"', job["detail"])

    def test_limits_keep_what_came_and_say_what_did_not(self):
        for name in "abcd":
            (self.files / name).write_bytes(name.encode() * 1000)
        answer = self.collect("--path", f"{self.files}/*", "--max-bytes", "2500", status=1)
        self.assertEqual(answer["failure"], "OUTPUT_LIMIT")
        self.assertEqual((answer["files"], answer["left_out"]), (2, 2))
        self.verify()
        answer = self.collect("--path", f"{self.files}/*", "--max-file-bytes", "10", "--force")
        self.assertEqual((answer["files"], answer["left_out"]), (0, 4))
        (self.definitions / "slow.yaml").write_text(
            "name: Slow\ndoc: s\nsources:\n- type: COMMAND\n  attributes: {cmd: /bin/sleep, args: ['50']}\n"
            "- type: FILE\n  attributes: {paths: [/etc/hostname]}\n")
        answer = self.collect("Slow", "--commands", "--max-time", "2s", "--force", status=1)
        self.assertEqual(answer["failure"], "WALL_LIMIT")
        self.assertFalse(answer["complete"])
        self.assertFalse(self.verify().json()["complete"])

    def test_words_that_mean_nothing_are_told_before_anybody_is_asked(self):
        self.stack.holdfast("collect", self.agent.id, expect=2)
        reply = self.stack.holdfast("collect", self.agent.id, "triaje", expect=None)
        self.assertIn("did you mean triage?", reply.err)
        self.stack.holdfast("collect", self.agent.id, "--path", "etc/passwd", expect=2)
        self.stack.holdfast("collect", self.agent.id, "-D", self.dir / "nowhere", "triage", expect=None)
        (self.definitions / "bomb.yaml").write_text("a: &a [1]\nb: [*a, *a]\n")
        reply = self.stack.holdfast("collect", self.agent.id, "-D", self.definitions, "triage", expect=None)
        self.assertNotEqual(reply.status, 0)
        self.assertIn("bomb.yaml", reply.err)
        names = [row["name"] for row in self.stack.holdfast("collect", "--list").json()]
        self.assertIn("HoldfastTriage", names)
        rows = self.stack.holdfast("collect", "--show", "histories").json()
        self.assertIn("%%users.homedir%%/.bash_history", [row["what"] for row in rows])

    # --- verify -------------------------------------------------------------------------------------
    def test_an_altered_zip_is_told_with_the_name_of_what_was_altered(self):
        (self.files / "note").write_text("the truth\n")
        self.collect("TestTree")
        entry = f"files{self.files}/note"
        whole = self.zip.read_bytes()
        altered = self.dir / "altered.zip"
        with zipfile.ZipFile(self.zip) as got:
            places = {info.filename: info.header_offset + 30 + len(info.filename) + 9 + info.compress_size // 2
                      for info in got.infolist()}
        for name in (entry, "manifest.json", "proof/stream", "proof/command", "SHA256SUMS"):
            bent = bytearray(whole)
            bent[places[name]] ^= 1
            altered.write_bytes(bent)
            reply = self.stack.holdfast("verify", altered, expect=1)
            self.assertIn("ALTERED", reply.err)
            self.assertIn(name, reply.err)
            self.assertFalse(reply.json()["verified"])
        # Whole zips, but not the one that was written.
        for change in ("alter", "remove", "add", "slip"):
            with zipfile.ZipFile(self.zip) as old, zipfile.ZipFile(altered, "w") as new:
                for info in old.infolist():
                    data = old.read(info)
                    if info.filename == entry and change == "remove":
                        continue
                    if info.filename == entry and change == "alter":
                        data = data.replace(b"truth", b"TRUTH")
                    new.writestr(info, data)
                if change in ("add", "slip"):
                    new.writestr("../../evil" if change == "slip" else "files/evil", "x")
            reply = self.stack.holdfast("verify", altered, expect=1)
            self.assertIn("ALTERED", reply.err, change)
        # A directory that says another name than the entry's own header.
        name = entry.encode()
        slip = (b"../" * len(name))[:len(name) - 4] + b"evil"
        at = whole.rindex(name)
        altered.write_bytes(whole[:at] + slip + whole[at + len(name):])
        reply = self.stack.holdfast("verify", altered, expect=1)
        self.assertIn("leads out of a directory", reply.err)
        for bent in (whole[:-1], whole + b"x", whole[:len(whole) // 2], b""):
            altered.write_bytes(bent)
            self.verify(altered, status=1)

    def test_other_programs_open_the_zip(self):
        (self.files / "note").write_text("x" * 100_000)
        self.collect("TestTree")
        self.assertEqual(subprocess.run(["unzip", "-qt", self.zip], check=False, capture_output=True).returncode, 0)
        with zipfile.ZipFile(self.zip) as got:
            self.assertIsNone(got.testzip())
            got.extractall(self.dir / "out")
        subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], check=True, cwd=self.dir / "out")

    def test_verify_needs_no_fleet_and_refuses_another_one(self):
        (self.files / "note").write_text("x")
        self.collect("TestTree")
        alone = self.stack.run("holdfast", "-o", "json", "verify", self.zip)
        self.assertEqual(alone.json()["signer"], "not vouched for")
        self.stack.run("holdfast", "init", "--dir", self.dir / "other", "--server", "wss://localhost:9443")
        reply = self.stack.run("holdfast", "--dir", self.dir / "other", "verify", self.zip, expect=1)
        self.assertIn("the collection is of fleet", reply.err)
        # The same fleet with another policy's keys does not vouch either.
        fleet = self.dir / "claims"
        shutil.copytree(self.dir / "other", fleet)
        toml = (fleet / "fleet.toml").read_text()
        ours = json.loads(self.stack.run("holdfast", "-o", "json", "verify", self.zip).text)["fleet_id"]
        other = [word for word in toml.split('"') if len(word) == 32][0]
        (fleet / "fleet.toml").write_text(toml.replace(other, ours))
        reply = self.stack.run("holdfast", "--dir", fleet, "verify", self.zip, expect=1)
        self.assertIn("proof/certificate", reply.err)

    # --- cuts ---------------------------------------------------------------------------------------
    def big_tree(self):
        for i in range(40):
            (self.files / f"f{i}").write_bytes(os.urandom(3_000_000))

    def begin(self, *words):
        running = self.stack.holdfast_begin("collect", self.agent.id, "-D", self.definitions, "--as", self.zip, *words)
        self.addCleanup(running.kill)
        wait_for(lambda: any(p.stat().st_size > 2_000_000 for p in self.dir.glob(".holdfast-part-*")), 60,
                 "nothing comes")
        return running

    def test_a_gateway_that_dies_in_the_middle_costs_nothing(self):
        self.big_tree()
        running = self.begin("TestTree")
        for gateway in self.stack.processes("gateway"):
            gateway.kill()
        out, err = running.communicate(timeout=120)
        self.assertEqual(running.returncode, 0, err)
        self.assertEqual(json.loads(out)[0]["files"], 40)
        self.verify()

    def test_an_agent_that_dies_in_the_middle_collects_again(self):
        self.big_tree()
        running = self.begin("TestTree")
        self.agent.kill()
        self.start_agent()
        out, err = running.communicate(timeout=120)
        self.assertEqual(running.returncode, 0, err)
        answer = json.loads(out)[0]
        self.assertEqual((answer["outcome"], answer["files"], answer["complete"]), ("DONE", 40, True))
        self.verify()

    def test_a_worker_that_dies_leaves_what_came_and_says_so(self):
        self.big_tree()
        running = self.begin("TestTree")
        for worker in self.agent.children("worker"):
            worker.kill()
        out, err = running.communicate(timeout=120)
        self.assertEqual(running.returncode, 1, err)
        answer = json.loads(out)[0]
        self.assertEqual((answer["failure"], answer["complete"]), ("WORKER_DIED", False))
        self.assertFalse(self.verify().json()["complete"])

    def test_ctrl_c_leaves_nothing_and_a_cancel_keeps_what_came(self):
        self.big_tree()
        running = self.begin("TestTree")
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
        self.assertEqual(running.returncode, 130)
        self.assertEqual([p.name for p in self.dir.iterdir() if "zip" in p.name], [])
        wait_for(lambda: self.stack.holdfast("jobs", "--open").json() == [], 60, "the job goes on")
        running = self.begin("TestTree")
        job = self.stack.holdfast("jobs", "--limit", "1").json()[0]["job"]
        self.stack.holdfast("cancel", job, expect=None)
        out, _ = running.communicate(timeout=60)
        answer = json.loads(out)[0]
        if answer["outcome"] == "CANCELLED" and answer["path"]:
            self.assertFalse(self.verify().json()["complete"])

    def test_several_targets_have_a_zip_each(self):
        other = self.stack.add_agent("b")
        (self.files / "note").write_text("x")
        reply = self.stack.holdfast("collect", f"{self.agent.id},{other.id}", "-d", self.dir / "into", "--path",
                                    f"{self.files}/*")
        answers = reply.json()
        self.assertEqual(len({a["path"] for a in answers}), 2)
        for answer in answers:
            self.assertEqual(self.verify(pathlib.Path(answer["path"])).json()["agent_id"], answer["agent_id"])


if __name__ == "__main__":
    main()
