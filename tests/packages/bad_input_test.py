#!/usr/bin/env python3
"""What goes wrong when packages are installed, enrolled and upgraded by people and machines that fail: each gets a message that
says what is wrong, and what was there goes on.
"""
import json
import pathlib
import subprocess
import tempfile
import unittest

from system_case import AGENT, BACKEND, FLEET, HOLDFAST, NEXT, PACKAGES, VERSION, SystemCase

OTHER = "/var/lib/holdfast/other"  # a second fleet, whose agents dial the first one's address


def repacked(deb, change, target):
    """The same package, with what change(its tree) did to it."""
    with tempfile.TemporaryDirectory() as place:
        tree = pathlib.Path(place, "tree")
        subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
        change(tree)
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", "-Znone", tree, target], check=True,
                       stdout=subprocess.DEVNULL)


def replaced(path, old, new):
    text = path.read_text()
    assert old in text, path
    path.write_text(text.replace(old, new))


class RefusalTest(SystemCase):
    def refused(self, command, *words):
        status, said = self.system.run(command, expect=None)
        self.assertNotEqual(status, 0, said)
        for word in words:
            self.assertIn(word, said)

    def goes_on(self, agent, version=VERSION):
        self.assertEqual(self.wait_online(agent), agent)
        self.assertEqual(self.one(agent), [{"one": 1}])
        self.assertEqual(self.system.run("holdfast-agent version").split()[-1], VERSION)  # the program is the same in both
        self.assertIn(f"{version} installed", self.system.run("dpkg-query -W -f '${Version} ${db:Status-Status}' holdfast-agent"))

    def test_a_package_that_is_not_for_this_machine_changes_nothing(self):
        agent = self.endpoint()
        with self.subTest("a .deb of another architecture"):
            repacked(PACKAGES / AGENT.format(NEXT),
                     lambda tree: replaced(tree / "DEBIAN/control", "Architecture: amd64", "Architecture: arm64"),
                     self.system.path("/root/other.deb"))
            self.refused("dpkg -i /root/other.deb", "does not match system (amd64)")
            self.goes_on(agent)
        with self.subTest("an archive of another architecture"):
            self.system.run(f"cd /root && tar -xzf holdfast-agent-{VERSION}-amd64.tar.gz")
            program = self.system.path(f"/root/holdfast-agent-{VERSION}-amd64/usr/sbin/holdfast-agent")
            image = bytearray(program.read_bytes())
            image[18:20] = (183).to_bytes(2, "little")  # e_machine: AArch64
            program.write_bytes(image)
            self.refused(f"/root/holdfast-agent-{VERSION}-amd64/install.sh", "does not run here (x86_64)",
                         "take the package of this machine's architecture")
            self.goes_on(agent)
        with self.subTest("an archive, and /usr is read-only"):
            self.system.run(f"cd /root && rm -r holdfast-agent-{VERSION}-amd64 && tar -xzf holdfast-agent-{VERSION}-amd64.tar.gz")
            self.system.run("mount --bind /usr /usr && mount -o remount,ro,bind /usr")
            self.refused(f"/root/holdfast-agent-{VERSION}-amd64/install.sh", "/usr/sbin cannot be written", "nothing was changed")
            self.system.run("umount --lazy /usr")
            self.goes_on(agent)
        with self.subTest("half a download"):
            whole = (PACKAGES / AGENT.format(NEXT)).read_bytes()
            self.system.path("/root/half.deb").write_bytes(whole[:len(whole) // 2])
            self.refused("dpkg -i /root/half.deb", "/root/half.deb")
            self.goes_on(agent)

    def test_a_full_disk_changes_nothing_and_room_ends_it(self):
        agent = self.endpoint()
        self.system.limit(1)
        self.refused(f"dpkg -i /root/{AGENT.format(NEXT)}", "No space left on device")
        self.assertEqual(self.wait_online(agent), agent)
        self.system.limit(None)
        self.system.run(f"dpkg -i /root/{AGENT.format(NEXT)}")
        self.goes_on(agent, NEXT)

    def test_a_bundle_that_is_none_is_named_and_nothing_is_enrolled(self):
        self.backend()
        self.system.run(f"dpkg -i /root/{AGENT.format(VERSION)}")
        self.bundle("/root/bundle")
        good = self.system.path("/root/bundle").read_text()
        enrol = "holdfast-agent enrol --timeout 5 --bundle /root/{}"
        for name, text, words in (("missing", None, ("/root/missing", "No such file")),
                                  ("empty", "", ("bundle",)),
                                  ("page", "<html>404 Not Found</html>\n", ("bundle",)),
                                  ("half", good[:len(good) // 2], ("bundle",))):
            with self.subTest(name):
                if text is not None:
                    self.system.path(f"/root/{name}").write_text(text)
                self.refused(enrol.format(name), *words)
                self.system.run("test ! -e /var/lib/holdfast-agent/enrolled")
        with self.subTest("one that lies there beforehand"):
            self.system.run("install -m 0600 /root/half /etc/holdfast-agent/enrol.bundle")
            said = self.system.run("invoke-rc.d holdfast-agent start 2>&1; true")
            self.assertIn("bundle", said)
            self.assertEqual(self.running(), [])
        with self.subTest("and then the right one"):
            self.system.run("rm /etc/holdfast-agent/enrol.bundle")
            agent = self.system.run(enrol.format("bundle")).strip()
            self.system.run("invoke-rc.d holdfast-agent start")
            self.goes_on(agent)

    def test_a_bundle_of_another_fleet_is_refused_on_both_sides(self):
        agent = self.endpoint()
        other = f"runuser -u holdfast -- holdfast --dir {OTHER}"
        self.system.run(f"{other} init --server wss://localhost:8443 --api wss://localhost:9444")
        config = self.system.path(f"{OTHER}/server/holdfastd.toml")
        # Not where its agents dial: there the first fleet's server answers.
        replaced(config, 'listen = "127.0.0.1:8443"', 'listen = "127.0.0.1:18443"')
        replaced(config, 'listen = "127.0.0.1:8445"', 'listen = "127.0.0.1:18445"')
        self.start_backend(OTHER)
        self.system.run(f"umask 077; {other} enrol token --uses 5 > /root/other.bundle")
        with self.subTest("a machine that belongs to nobody yet: the server there is not its fleet's"):
            self.refused("holdfast-agent enrol --bundle /root/other.bundle --state /root/fresh --timeout 5",
                         "server_untrusted: the certificate is of another CA")
        with self.subTest("an endpoint of the first fleet"):
            self.system.run("invoke-rc.d holdfast-agent stop")
            self.refused("holdfast-agent enrol --bundle /root/other.bundle --timeout 5", "belongs to an agent of another fleet",
                         "use another --state")
            self.system.run("invoke-rc.d holdfast-agent start")
            self.goes_on(agent)


class InterruptedTest(SystemCase):
    """The upgrade of an endpoint ends in the middle, as by a power cut or a closed terminal."""

    def boots(self, agent):
        """What an init system does afterwards; who still runs goes on."""
        self.system.run("invoke-rc.d holdfast-agent start 2>&1; true")
        self.assertEqual(self.wait_online(agent), agent)
        self.assertEqual(self.one(agent), [{"one": 1}])
        # A child that it forks is called the same until it becomes another program.
        self.system.until("test $(pgrep -x -f '/usr/sbin/holdfast-agent run' | wc -l) = 1", 10, "there is not one agent")

    def state(self):
        said = self.system.run("dpkg-query -W -f '${Version} ${db:Status-Status}' holdfast-agent; true")
        return said.strip()

    def finishes(self, agent, package=f"/root/{AGENT.format(NEXT)}"):
        """Again, as everybody does, and as apt does it."""
        self.system.run(f"dpkg --configure -a; dpkg -i {package}")
        self.assertEqual(self.state(), f"{NEXT} installed")
        self.boots(agent)

    def goes_back(self):
        self.system.run(f"HOLDFAST_ALLOW_DOWNGRADE=1 dpkg -i /root/{AGENT.format(VERSION)}")

    def test_the_package_ends_at_each_of_its_steps(self):
        agent = self.endpoint()
        # dpkg and what it started are gone at once: no error path of theirs runs.
        end = "kill -9 $PPID $$\n"
        marks = {"preinst, before anything": ("preinst", "case $1 in", end + "case $1 in"),
                 "postinst, before anything": ("postinst", 'if [ "$1" = configure ]; then', end + 'if [ "$1" = configure ]; then'),
                 "postinst, before the new program runs":
                     ("postinst", "  if [ -d /run/systemd/system ]; then", f"  {end}  if [ -d /run/systemd/system ]; then")}
        for number, (step, (script, old, new)) in enumerate(marks.items()):
            with self.subTest(step):
                def change(tree, script=script, old=old, new=new):
                    path = tree / "DEBIAN" / script
                    text = path.read_text()
                    assert old in text, path
                    path.write_text(text.replace(old, new, 1))
                repacked(PACKAGES / AGENT.format(NEXT), change, self.system.path(f"/root/ends{number}.deb"))
                status, said = self.system.run(f"dpkg -i /root/ends{number}.deb", expect=None)
                self.assertNotEqual(status, 0, said)
                print(f"  {step}: {self.state()}", flush=True)
                self.boots(agent)
                self.finishes(agent)
                self.goes_back()
                self.boots(agent)
        # The installed one's own scripts, which dpkg runs first and last; once, as the same one runs again afterwards.
        once = '[ "$1" != upgrade ] || [ -e /root/ended ] || { : > /root/ended; kill -9 $PPID $$; }\n'
        for script in ("prerm", "postrm"):
            with self.subTest(f"{script} of the old one"):
                repacked(PACKAGES / AGENT.format(VERSION),
                         lambda tree, script=script: replaced(tree / "DEBIAN" / script, "set -e\n", "set -e\n" + once),
                         self.system.path(f"/root/old-{script}.deb"))
                self.system.run(f"touch /root/ended; dpkg -i /root/old-{script}.deb; rm /root/ended")
                status, said = self.system.run(f"dpkg -i /root/{AGENT.format(NEXT)}", expect=None)
                self.assertNotEqual(status, 0, said)
                print(f"  {script} of the old one: {self.state()}", flush=True)
                self.boots(agent)
                self.finishes(agent)
                self.goes_back()
                self.boots(agent)
        with self.subTest("unpacked, and never configured"):
            self.system.run(f"dpkg --unpack /root/{AGENT.format(NEXT)}")
            self.boots(agent)
            self.system.run("invoke-rc.d holdfast-agent restart")
            self.boots(agent)
            self.finishes(agent)

    def test_a_removal_that_ends_in_the_middle_is_finished_by_another(self):
        agent = self.endpoint()
        end = "kill -9 $PPID $$\n"
        for word, script in (("remove", "prerm"), ("remove", "postrm"), ("purge", "postrm")):
            with self.subTest(f"{script} {word}"):
                once = f'[ "$1" != {word} ] || [ -e /root/ended ] || {{ : > /root/ended; {end.strip()}; }}\n'
                repacked(PACKAGES / AGENT.format(VERSION),
                         lambda tree, script=script, once=once: replaced(tree / "DEBIAN" / script, "set -e\n", "set -e\n" + once),
                         self.system.path("/root/ends.deb"))
                self.system.run("touch /root/ended; dpkg -i /root/ends.deb; rm /root/ended")
                self.boots(agent)
                status, said = self.system.run(f"dpkg --{word} holdfast-agent", expect=None)
                self.assertNotEqual(status, 0, said)
                self.system.run(f"dpkg --configure -a; dpkg --{word} holdfast-agent")
                self.assertEqual(self.running(), [])
                if word == "purge":
                    self.assertEqual(self.traces(), [])
                    return
                self.system.run(f"dpkg -i /root/{AGENT.format(VERSION)}")
                self.boots(agent)  # the same endpoint

    def test_dpkg_is_killed_anywhere(self):
        agent = self.endpoint()
        seen = {}
        for step in range(1, 13):
            # The whole group: dpkg, its children, and who waits for them.
            self.system.run(f"setsid -w timeout --signal=KILL {step * 0.06:.2f}s dpkg -i /root/{AGENT.format(NEXT)} "
                            ">/dev/null 2>&1; true")
            seen[self.state()] = seen.get(self.state(), 0) + 1
            self.boots(agent)
            self.finishes(agent)
            self.goes_back()
        print(f"  after dpkg was killed: {seen}", flush=True)
        self.boots(agent)

    def test_the_archives_installer_is_killed_anywhere(self):
        self.backend()
        self.bundle("/root/bundle")
        self.system.run(f"cd /root && tar -xzf holdfast-agent-{VERSION}-amd64.tar.gz")
        installer = f"/root/holdfast-agent-{VERSION}-amd64/install.sh"
        self.system.run(f"{installer} --bundle /root/bundle")
        agent = self.wait_online()
        for hundredths in range(2, 40, 5):
            self.system.run(f"setsid -w timeout --signal=KILL 0.{hundredths:02d}s {installer} >/dev/null 2>&1; true")
            self.boots(agent)
        self.system.run(installer)
        self.boots(agent)
        left = self.system.run("find /usr /etc -xdev -name '*.new' -path '*holdfast*'")
        self.assertEqual(left, "")


class BackendUpgradeTest(SystemCase):
    """The backend's package, forward with its ledger, and back only by a backup."""

    def newer(self, target="/root/newer.deb", ends_in=None):
        """The same program as a later version; its script `ends_in` takes dpkg along."""
        def change(tree):
            replaced(tree / "DEBIAN/control", f"Version: {VERSION}\n", f"Version: {NEXT}\n")
            replaced(tree / "DEBIAN/preinst", f"version={VERSION}\n", f"version={NEXT}\n")
            if ends_in:
                replaced(tree / "DEBIAN" / ends_in, "set -e\n", "set -e\nkill -9 $PPID $$\n")
        repacked(PACKAGES / BACKEND, change, self.system.path(target))

    def test_an_upgrade_that_ends_in_the_middle_leaves_a_backend_that_serves(self):
        agent = self.endpoint()
        self.newer()
        for script in ("preinst", "postinst"):
            with self.subTest(script):
                self.newer("/root/ends.deb", script)
                status, said = self.system.run("dpkg -i /root/ends.deb", expect=None)
                self.assertNotEqual(status, 0, said)
                self.assertEqual(self.one(agent), [{"one": 1}])  # by the one that runs
                self.stop_backend()
                self.start_backend()  # by what is in its place now
                self.assertEqual(self.wait_online(agent, 60), agent)
                self.system.run("dpkg --configure -a; dpkg -i /root/newer.deb")
                self.assertIn(f"{NEXT} installed", self.system.run("dpkg-query -W -f '${Version} ${db:Status-Status}' holdfast-backend"))
                self.assertEqual(self.wait_online(agent, 60), agent)
                self.system.run(f"HOLDFAST_ALLOW_DOWNGRADE=1 dpkg -i /root/{BACKEND}")

    def test_an_upgrade_keeps_the_fleet_and_the_way_back_is_the_backup(self):
        agent = self.endpoint()
        ledger = self.system.path(f"{FLEET}/server/state/ledger.db")
        job = json.loads(self.system.run(f"{HOLDFAST} exec {agent} -o json -- echo before"))[0]["job"]
        # The page's own steps (docs/operations/upgrade.md).
        said = self.system.run(f"cd /var/lib/holdfast && runuser -u holdfast -- holdfastd backup --dir {FLEET} before-upgrade.tar")
        self.assertIn("as of ", said)
        self.newer()
        self.system.run("dpkg -i /root/newer.deb")  # where systemd is it restarts the service
        self.stop_backend()
        self.start_backend()
        self.assertEqual(self.wait_online(agent, 60), agent)
        self.assertEqual(self.system.run(f"{HOLDFAST} results {job}"), "before\n")

        with self.subTest("the older package is refused"):
            status, said = self.system.run(f"dpkg -i /root/{BACKEND}", expect=None)
            self.assertNotEqual(status, 0)
            self.assertIn(f"{NEXT} is installed, and {VERSION} is older", said)
            self.assertEqual(self.wait_online(agent), agent)
        with self.subTest("the older program is refused by the newer one's ledger"):
            self.stop_backend()
            with open(ledger, "r+b") as file:
                file.seek(60)  # user_version: https://sqlite.org/fileformat.html, 1.3
                file.write((1000).to_bytes(4, "big"))
            self.system.run(f"HOLDFAST_ALLOW_DOWNGRADE=1 dpkg -i /root/{BACKEND}")
            status, said = self.system.run(f"runuser -u holdfast -- holdfastd --dir {FLEET}", expect=None)
            self.assertEqual(status, 2, said)
            self.assertIn("written by a newer holdfastd (schema 1000)", said)
            self.assertIn("or restore a backup from before it", said)
        with self.subTest("the backup is the way back"):
            said = self.system.run(f"cd /var/lib/holdfast && runuser -u holdfast -- holdfastd restore before-upgrade.tar --dir {FLEET} --replace")
            self.assertIn("what was there is now", said)
            self.start_backend()
            self.wait_online(agent, 60)
            self.system.until(f"{HOLDFAST} query {agent} 'SELECT 1 AS one'", 30)
            self.assertEqual(self.system.run(f"{HOLDFAST} results {job}"), "before\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
