#!/usr/bin/env python3
"""./dev package test: the real packages, installed, enrolled, upgraded, downgraded, removed and purged in fresh systems of Debian
12 and 13.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from system_case import AGENT, BACKEND, HOLDFAST, NEXT, PACKAGES, ROOT, VERSION, YARA, YARA_RPM, SystemCase  # noqa: E402

LINK_GAP_SECONDS = 5  # over an upgrade
# An idle agent: after it has settled, over so long, at most.
SETTLED_SECONDS, IDLE_SECONDS = 15, 150
MOST_PSS_MB, MOST_WAKE_UPS = 4.0, 2.0


class PackagesTest(SystemCase):
    def test_nothing_starts_before_there_is_an_enrolment_and_one_command_enrols(self):
        self.backend()
        self.system.run(f"dpkg -i /root/{AGENT.format(VERSION)}")
        self.assertEqual(self.running(), [])
        self.assertEqual(self.system.run("stat -c '%a %U' /var/lib/holdfast-agent").strip(), "700 root")
        self.assertIn("holdfast-link", self.system.run("cat /etc/passwd"))
        self.assertIn("not enrolled", self.system.run("invoke-rc.d holdfast-agent start"))
        self.bundle("/root/bundle")
        agent = self.system.run("holdfast-agent enrol --bundle /root/bundle").strip()
        self.system.run("invoke-rc.d holdfast-agent start")  # where systemd does it by holdfast-agent.path
        self.assertEqual(self.wait_online(), agent)
        self.assertEqual(self.one(agent), [{"one": 1}])
        # Of its own group, too: the number of its user may be that of a group which may read a lot.
        link = self.system.run("ps -o user:20= -o group:20= -C holdfast-link").split()
        self.assertEqual(set(link), {"holdfast-link"})

    def test_a_bundle_that_lies_there_before_the_package_enrols_by_itself(self):
        self.backend()
        self.system.run("install -d -m 0700 /etc/holdfast-agent")
        self.bundle("/etc/holdfast-agent/enrol.bundle")
        self.system.run(f"dpkg -i /root/{AGENT.format(VERSION)}")
        self.wait_online()
        self.assertNotIn("enrol.bundle", self.system.run("ls /etc/holdfast-agent"))

    def test_an_upgrade_keeps_identity_and_jobs_and_cuts_the_link_for_seconds_at_most(self):
        agent = self.endpoint()
        job = json.loads(self.system.run(
            f"{HOLDFAST} exec {agent} --wait 0 -o json -- sh -c 'sleep 3; echo done' 2>/dev/null || true"))[0]["job"]
        began = time.monotonic()
        self.system.run(f"dpkg -i /root/{AGENT.format(NEXT)}")
        took = time.monotonic() - began
        self.wait_online(agent, LINK_GAP_SECONDS + 5)
        gap = self.link_gap()
        print(f"  upgrade: dpkg took {took:.1f} s, the link was down for {gap:.1f} s (<= {LINK_GAP_SECONDS})", flush=True)
        self.assertLessEqual(gap, LINK_GAP_SECONDS)
        self.system.until(f"{HOLDFAST} job {job} -o json | grep -E '\"(DONE|INTERRUPTED)\"'", 20, "the job has no end")
        self.assertEqual(self.one(agent), [{"one": 1}])
        status, said = self.system.run(f"dpkg -i /root/{AGENT.format(VERSION)}", expect=None)
        self.assertNotEqual(status, 0)
        self.assertIn("is older", said)
        self.assertIn(NEXT, self.system.run("dpkg-query -W -f '${Version}' holdfast-agent"))
        self.assertEqual(len(self.running()), 1)
        self.assertEqual(self.wait_online(), agent)

    def link_gap(self):
        """Between the last goodbye and the Welcome after it, by the agent's log."""
        log = self.system.run("cat /var/log/holdfast-agent.log")
        at = lambda line: time.mktime(time.strptime(line[3:22], "%Y-%m-%dT%H:%M:%S")) + float(line[22:26])
        stopped = [at(line) for line in log.splitlines() if "event=agent_stopped" in line][-1]
        up = [at(line) for line in log.splitlines() if "event=link_open" in line]
        return max(u for u in up) - stopped if up else float("inf")

    def test_remove_keeps_the_identity_and_purge_leaves_nothing(self):
        self.assertEqual(self.traces(), [])
        agent = self.endpoint()
        self.system.run("dpkg --remove holdfast-agent")
        self.assertEqual(self.running(), [])
        self.assertEqual(self.system.run("cat /var/lib/holdfast-agent/enrolled").strip(), agent)
        self.system.run(f"dpkg -i /root/{AGENT.format(VERSION)}")
        self.assertEqual(self.wait_online(agent), agent)
        self.system.run("dpkg --purge holdfast-agent")
        self.assertEqual(self.running(), [])
        self.assertEqual(self.traces(), [])

    def test_the_archive_installs_enrols_and_leaves_without_a_trace(self):
        self.backend()
        self.bundle("/root/bundle")
        self.system.run(f"cd /root && tar -xzf holdfast-agent-{VERSION}-amd64.tar.gz")
        installer = f"/root/holdfast-agent-{VERSION}-amd64"
        status, said = self.system.run(f"{installer}/install.sh --bundle /root/missing", expect=None)
        self.assertNotEqual(status, 0)
        self.assertIn("/root/missing", said)
        self.assertEqual(self.traces(), [])
        self.system.run(f"{installer}/install.sh --bundle /root/bundle")
        agent = self.wait_online()
        self.system.run(f"{installer}/install.sh")  # again: an upgrade
        self.assertEqual(self.wait_online(agent), agent)
        with self.subTest("an older version over it"):
            self.system.run(f"sed 's/^version={VERSION}$/version=0.0.9/' {installer}/install.sh > {installer}/older.sh && "
                            f"chmod 755 {installer}/older.sh")
            status, said = self.system.run(f"{installer}/older.sh", expect=None)
            self.assertEqual(status, 1, said)
            self.assertIn(f"{VERSION} is installed, and 0.0.9 is older; nothing was changed", said)
            self.assertEqual(len(self.running()), 1)
            self.system.run(f"HOLDFAST_ALLOW_DOWNGRADE=1 {installer}/older.sh")
            self.assertEqual(self.wait_online(agent), agent)
        with self.subTest("its log is rotated and goes on"):
            self.system.run("test -e /etc/logrotate.d/holdfast-agent && logrotate --force /etc/logrotate.d/holdfast-agent")
            self.assertIn("holdfast-agent.log.1", self.system.run("ls /var/log"))
            self.system.run("pkill -KILL -x holdfast-link")  # of its end a line is written
            self.system.until("test -s /var/log/holdfast-agent.log", 20, "nothing is written after the rotation")
            self.assertEqual(self.wait_online(agent), agent)
        self.system.run(f"{installer}/uninstall.sh --purge")
        self.assertEqual(self.running(), [])
        self.assertEqual(self.traces(), [])

    def test_what_cannot_be_installed_says_why_and_leaves_what_was_there(self):
        agent = self.endpoint()
        with self.subTest("read-only /usr"):
            self.system.run("mount --bind /usr /usr && mount -o remount,ro,bind /usr")
            status, said = self.system.run(f"dpkg -i /root/{AGENT.format(NEXT)}", expect=None)
            self.assertNotEqual(status, 0)
            self.assertIn("Read-only file system", said)
            self.system.run("umount --lazy /usr")
            self.assertEqual(self.wait_online(agent), agent)
            self.system.run("dpkg --configure -a")
        with self.subTest("an old kernel"):
            self.system.run("mkdir -p /root/old && printf '#!/bin/sh\\necho 3.10.0-1160\\n' > /root/old/uname && chmod 755 /root/old/uname")
            status, said = self.system.run(f"PATH=/root/old:$PATH dpkg -i /root/{AGENT.format(NEXT)}", expect=None)
            self.assertNotEqual(status, 0)
            self.assertIn("needs Linux 4.9", said)
            self.assertEqual(self.wait_online(agent), agent)
        with self.subTest("a bundle that was changed on its way"):
            self.system.run("sed 's/[A-M]/N/g' /root/bundle > /root/changed")
            status, said = self.system.run("holdfast-agent enrol --bundle /root/changed --state /root/second --timeout 3",
                                           expect=None)
            self.assertEqual(status, 1, said)
            self.assertEqual(self.wait_online(agent), agent)
        with self.subTest("a second agent on the same host"):
            status, said = self.system.run("holdfast-agent enrol --bundle /root/bundle", expect=None)
            self.assertNotEqual(status, 0)
            self.assertIn("another holdfast-agent is using this state directory", said)
            second = self.system.run("holdfast-agent enrol --bundle /root/bundle --state /root/second").strip()
            self.assertNotEqual(second, agent)


    def test_yara_is_a_package_of_its_own_and_scan_says_so_where_it_is_not_there(self):
        agent = self.endpoint()
        self.system.run("mkdir /srv/web && printf 'about a needle in it' > /srv/web/a.php && printf nothing > /srv/web/b.php && "
                        "printf 'rule found { strings: $a = \"needle\" condition: $a }' > /var/lib/holdfast/found.yar")
        scan = f"{HOLDFAST} scan {agent} --rules /var/lib/holdfast/found.yar /srv/web -o json"
        status, said = self.system.run(scan, expect=None)
        self.assertEqual(status, 1, said)
        self.assertIn("UNSUPPORTED", said)
        self.assertIn("holdfast-agent-yara is not installed, beside the agent or in /usr/libexec/holdfast", said)
        self.system.give(PACKAGES / YARA, f"/root/{YARA}")
        self.system.run(f"dpkg -i /root/{YARA}")  # and nobody starts the agent again
        said = self.system.run(scan)
        self.assertIn("/srv/web/a.php", said)
        self.assertNotIn("/srv/web/b.php", said)
        self.assertIn(f"holdfast-agent-yara {VERSION}, ", self.system.run("/usr/libexec/holdfast/holdfast-agent-yara version"))
        with self.subTest("one that others may write to is not started"):
            self.system.run("chmod 777 /usr/libexec/holdfast")
            status, said = self.system.run(scan, expect=None)
            self.assertEqual(status, 1, said)
            self.assertIn("others than root may write to it or its directory", said)
            self.system.run("chmod 755 /usr/libexec/holdfast")
        with self.subTest("another version of the agent beside it"):
            said = self.system.run(f"apt-get --simulate install /root/{AGENT.format(NEXT)}")
            self.assertRegex(said, r"REMOVED:\n  holdfast-agent-yara\n")
        self.system.run("dpkg --purge holdfast-agent-yara holdfast-agent")
        self.assertEqual(self.traces(), [])
        self.system.run("test ! -e /usr/libexec/holdfast")

    def test_an_idle_agent_costs_little(self):
        self.endpoint()
        time.sleep(SETTLED_SECONDS)
        before = self.costs()
        time.sleep(IDLE_SECONDS)
        after = self.costs()
        self.assertEqual(before.keys(), after.keys(), "a process has ended")
        pss = sum(kib for kib, _ in after.values()) * 1024 / 1e6
        woken = sum(after[p][1] - before[p][1] for p in after) * 60 / IDLE_SECONDS
        print(f"  idle, over TLS, {len(after)} processes: Pss {pss:.2f} MB (<= {MOST_PSS_MB}), {woken:.1f} wake-ups/min "
              f"(<= {MOST_WAKE_UPS})", flush=True)
        self.assertLessEqual(pss, MOST_PSS_MB)
        self.assertLessEqual(woken, MOST_WAKE_UPS)

    def costs(self):
        """{process: (Pss in KiB, times that it went to sleep)} of the agent's."""
        out = {}
        for pid in self.system.run("pgrep -x 'holdfast-.*'; true").split():
            folder = f"/proc/{pid}"
            pss = re.search(r"(?m)^Pss:\s+(\d+)", self.system.run(f"cat {folder}/smaps_rollup"))
            slept = re.search(r"(?m)^voluntary_ctxt_switches:\s+(\d+)", self.system.run(f"cat {folder}/status"))
            out[pid] = int(pss[1]), int(slept[1])
        return out


class TrixieTest(PackagesTest):
    """The very same packages, built on Debian 12, in a Debian 13."""
    suite = "trixie"

    def test_it_is_a_debian_13(self):
        self.assertTrue(self.system.run("cat /etc/debian_version").startswith("13"))

    # It has no logrotate, and what install.sh does is no matter of the distribution.
    test_the_archive_installs_enrols_and_leaves_without_a_trace = None
    test_an_idle_agent_costs_little = None  # once is enough


class ContentTest(unittest.TestCase):
    def test_packages_are_small_and_pass_their_distributions_own_checks(self):
        for name, most in ((AGENT.format(VERSION), 2.0), (f"holdfast-agent-{VERSION}-1.x86_64.rpm", 2.0)):
            size = (PACKAGES / name).stat().st_size / 1e6
            print(f"  {name}: {size:.2f} MB (<= {most})", flush=True)
            self.assertLessEqual(size, most)
        if shutil.which("lintian") is None:
            self.fail("lintian is not installed")
        # Of other machines' too, where they were made.
        made = sorted(PACKAGES.glob(f"*holdfast-*_{VERSION}_*.deb"))
        for name in (AGENT.format(VERSION), YARA, BACKEND, f"libholdfast-dev_{VERSION}_amd64.deb"):
            self.assertIn(PACKAGES / name, made)
        said = subprocess.run(["lintian", "--allow-root", "--tag-display-limit", "0", "--fail-on", "error,warning", *made],
                              capture_output=True, text=True, check=False)
        self.assertEqual(said.returncode, 0, said.stdout)
        print(f"  lintian finds nothing in {', '.join(path.name for path in made)}", flush=True)

    def test_rpmlint_finds_no_error(self):
        made = sorted(PACKAGES.glob(f"holdfast-*-{VERSION}-1.*.rpm"))
        for name in (f"holdfast-agent-{VERSION}-1.x86_64.rpm", YARA_RPM):
            self.assertIn(PACKAGES / name, made)
        said = subprocess.run(["rpmlint", "--config", ROOT / "packaging/agent/rpmlint.toml", *made], capture_output=True, text=True,
                              check=False)
        self.assertRegex(said.stdout, r"\b0 errors\b", said.stdout + said.stderr)
        self.assertEqual(said.returncode, 0)

    def test_systemd_finds_no_fault_in_the_units(self):
        with tempfile.TemporaryDirectory() as place:
            for name in (AGENT.format(VERSION), BACKEND):
                subprocess.run(["dpkg-deb", "-x", PACKAGES / name, place], check=True)
            program = pathlib.Path(place, "bin/sh")  # of the system, as the rest of it is not there
            program.parent.mkdir()
            program.touch(0o755)
            units = sorted(pathlib.Path(place, "usr/lib/systemd/system").iterdir())
            self.assertEqual(len(units), 7)
            said = subprocess.run(["systemd-analyze", "verify", "--man=no", f"--root={place}", *(u.name for u in units)],
                                  capture_output=True, text=True, check=False)
            # Units of the system itself are not in that tree.
            faults = [line for line in said.stderr.splitlines() if "holdfast" in line and "not found" not in line]
            self.assertEqual(faults, [], said.stderr)

    def test_a_second_packing_makes_the_same_bytes(self):
        before = {p.name: p.read_bytes() for p in PACKAGES.glob("*holdfast-*") if p.is_file()}
        self.assertGreaterEqual(len(before), 5)
        again = PACKAGES / "again"
        shutil.rmtree(again, ignore_errors=True)
        for kind, line in (("agent", "amd64"), ("yara", "yara-amd64"), ("backend", "amd64"), ("sdk", "sdk")):
            subprocess.run([sys.executable, ROOT / "packaging/package.py", kind, "--bin", ROOT / "build/release/bin",
                            "--version", VERSION, "--arch", "amd64", "--out", again, "--formats", "deb,tar,rpm",
                            "--link-line", PACKAGES / f"link-line.{line}"], check=True, stdout=subprocess.DEVNULL)
        for made in again.iterdir():
            if made.is_file():
                self.assertEqual(made.read_bytes(), before[made.name], made.name)
        shutil.rmtree(again)

    def test_the_list_of_parts_names_every_library_with_its_version(self):
        data = subprocess.run(f"dpkg-deb --fsys-tarfile {PACKAGES / AGENT.format(VERSION)} | "
                              "tar -xO ./usr/share/doc/holdfast-agent/holdfast-agent.spdx.json",
                              shell=True, capture_output=True, check=True).stdout
        parts = {p["name"]: p["versionInfo"] for p in json.loads(data)["packages"]}
        for word in ("libc6-dev", "sqlite3", "libmbedtls-dev", "libprotobuf-dev", "nettle-dev", "libwebsockets"):
            (found,) = [name for name in parts if name.startswith(word)]
            self.assertRegex(parts[found], r"^\d", found)

    def test_every_package_carries_the_licences_of_all_that_is_in_it(self):
        for package in sorted(PACKAGES.glob(f"*holdfast-*_{VERSION}_*.deb")):
            name = package.name.split("_")[0]
            unpack = f"dpkg-deb --fsys-tarfile {package} | tar -xO ./usr/share/doc/{name}/"
            listed = json.loads(subprocess.run(unpack + f"{name}.spdx.json", shell=True, capture_output=True, check=True).stdout)
            text = subprocess.run(unpack + "copyright", shell=True, capture_output=True, check=True).stdout.decode(errors="replace")
            parts = [f"{p['name']} {p['versionInfo']}" for p in listed["packages"] if p["name"] != name]
            self.assertTrue(parts, package.name)
            for part in parts:
                found = re.search(rf"(?m)^={{78}}\n{re.escape(part)}\n={{78}}\n(?s:(.*?))(?=\n={{78}}\n|\Z)", text)
                self.assertIsNotNone(found, f"{package.name}: {part}")
                self.assertRegex(found[1], r"(?i)licen[sc]e", f"{package.name}: {part}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
