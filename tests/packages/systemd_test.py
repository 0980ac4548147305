#!/usr/bin/env python3
"""The packages where systemd is the first process, in fresh systems of Debian 12 and 13: the units as they are, started, killed,
restarted, upgraded and removed by it. Only the kernel is this machine's.
"""
import json
import re
import sys
import time
import unittest

from booted import Booted
from system_case import AGENT, BACKEND, FLEET, HOLDFAST, NEXT, ROOT, VERSION, SystemCase

sys.path.insert(0, str(ROOT / "tests/e2e"))
from harness import releases  # noqa: E402

LINK_GAP_SECONDS = 5     # over an upgrade
STOP_SECONDS = 10        # TimeoutStopSec of the agent
MOST_EXPOSED = 2.0       # of the backend, by systemd's own measure (0 to 10)
CONNECTS = """while :; do for port in 8443 8444; do
  if (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null; then echo >> /root/connected; else echo >> /root/refused; fi
  sleep 0.01
done; done
"""
APT = "apt-get -q -y --no-install-recommends --allow-downgrades install"
JOURNAL = "journalctl --no-pager -o short-unix"


class SystemdTest(SystemCase):
    suite = "bookworm-systemd"
    machine = Booted

    # --- steps ------------------------------------------------------------------------------------
    def backend(self, start=True):
        """As docs/operations/install.md has it; holdfastd.path does the rest."""
        self.system.run(f"{APT} /root/{BACKEND}")
        self.assertEqual(self.active("holdfastd.service"), "inactive")
        self.system.run(f"{HOLDFAST} init --server wss://localhost:8443")
        self.wait_backend()

    def wait_backend(self):
        self.system.until(f"systemctl -q is-active holdfastd && ls {FLEET}/server/state/run/ready", 30,
                          self.system.run(f"{JOURNAL} -u holdfastd | tail -20"))

    def endpoint(self):
        """Three commands, and nobody starts a service."""
        self.backend()
        self.bundle("/root/bundle")
        self.system.run(f"{APT} /root/{AGENT.format(VERSION)}")
        agent = self.system.run("holdfast-agent enrol --bundle /root/bundle").strip()
        self.wait_online(agent)
        return agent

    def active(self, unit):
        return self.system.run(f"systemctl is-active {unit}", expect=None)[1].strip()

    def main_pid(self, unit):
        return int(self.system.run(f"systemctl show -P MainPID {unit}"))

    def events(self, unit):
        """(time, event) of what the unit has logged."""
        lines = self.system.run(f"{JOURNAL} -u {unit}").splitlines()
        found = (re.match(r"(\d+\.\d+) .*\bevent=(\w+)", line) for line in lines)
        return [(float(m[1]), m[2]) for m in found if m]

    def link_events(self):
        return [event for _, event in self.events("holdfast-agent") if event.startswith("link_")]

    def link_gap(self):
        events = self.events("holdfast-agent")
        stopped = [at for at, event in events if event == "agent_stopped"][-1]
        up = [at for at, event in events if event == "link_open" and at > stopped]
        return up[0] - stopped if up else float("inf")

    def job(self, agent, script):
        said = self.system.run(f"{HOLDFAST} exec {agent} --wait 0 -o json -- sh -c '{script}' 2>/dev/null || true")
        return json.loads(said)[0]["job"]

    # --- the agent --------------------------------------------------------------------------------
    def test_nothing_starts_before_an_enrolment_and_then_it_starts_at_every_boot(self):
        agent = self.endpoint()
        self.assertEqual(self.active("holdfast-agent.service"), "active")
        self.assertEqual(self.one(agent), [{"one": 1}])
        self.assertEqual(set(self.system.run("ps -o user:20= -o group:20= -C holdfast-link").split()), {"holdfast-link"})
        for unit in ("holdfast-agent.service", "holdfast-agent.path", "holdfast-agent-enrol.path", "holdfastd.service"):
            self.assertEqual(self.system.run(f"systemctl is-enabled {unit}").strip(), "enabled", unit)
        with self.subTest("what a boot starts"):
            self.system.run("systemctl stop holdfast-agent holdfastd && systemctl isolate --no-block multi-user.target")
            self.wait_backend()
            self.assertEqual(self.wait_online(agent), agent)
        with self.subTest("no unit of ours has failed"):
            self.assertEqual(self.system.run("systemctl list-units --failed --no-legend --plain 'holdfast*'"), "")

    def test_a_bundle_that_lies_there_or_is_dropped_later_enrols_by_itself(self):
        self.backend()
        self.system.run("install -d -m 0700 /etc/holdfast-agent")
        self.bundle("/etc/holdfast-agent/enrol.bundle")
        self.system.run(f"{APT} /root/{AGENT.format(VERSION)}")
        first = self.wait_online()
        self.system.run("test ! -e /etc/holdfast-agent/enrol.bundle")
        with self.subTest("dropped beside the package that is there"):
            self.system.run("systemctl stop holdfast-agent && holdfast-agent unenrol")
            self.bundle("/etc/holdfast-agent/.new")
            self.system.run("mv /etc/holdfast-agent/.new /etc/holdfast-agent/enrol.bundle")
            end = time.monotonic() + 30
            while not [i for i, row in self.agents().items() if row["online"] and i != first]:
                self.assertLess(time.monotonic(), end, self.system.run(f"{JOURNAL} -u 'holdfast-agent*' | tail -20"))
                time.sleep(0.2)

    def test_it_is_stopped_in_time_and_started_again_when_it_dies(self):
        agent = self.endpoint()
        with self.subTest("killed"):
            for _ in range(3):  # more often than systemd allows other services
                before = self.main_pid("holdfast-agent")
                self.system.run(f"kill -KILL {before}")
                self.system.until(f"p=$(systemctl show -P MainPID holdfast-agent); test $p != 0 -a $p != {before}", 10)
            self.assertEqual(self.wait_online(agent), agent)
        with self.subTest("stopped, with a command that would go on"):
            job = self.job(agent, "trap \"\" TERM; sleep 600")
            self.system.until("pgrep -x -f 'sleep 600'", 10)
            began = time.monotonic()
            self.system.run("systemctl stop holdfast-agent")
            took = time.monotonic() - began
            print(f"  systemctl stop, with a command that ignores SIGTERM: {took:.1f} s (<= {STOP_SECONDS})", flush=True)
            self.assertLessEqual(took, STOP_SECONDS)
            self.assertEqual(self.system.run("pgrep -x -f 'sleep 600'; pgrep -x 'holdfast-.*'; true"), "")
            self.system.run("systemctl start holdfast-agent")
            self.system.until(f"{HOLDFAST} job {job} -o json | grep INTERRUPTED", 20, "its end is not told")

    def test_an_upgrade_cuts_the_link_for_seconds_and_loses_no_result(self):
        agent = self.endpoint()
        done = self.job(agent, "echo before")
        runs = self.job(agent, "sleep 4; echo during")
        began = time.monotonic()
        self.system.run(f"{APT} /root/{AGENT.format(NEXT)}")
        took = time.monotonic() - began
        self.wait_online(agent)
        gap = self.link_gap()
        print(f"  upgrade under systemd: apt took {took:.1f} s, the link was down for {gap:.1f} s (<= {LINK_GAP_SECONDS})", flush=True)
        self.assertLessEqual(gap, LINK_GAP_SECONDS)
        self.assertEqual(self.system.run(f"{HOLDFAST} results {done}"), "before\n")
        self.system.until(f"{HOLDFAST} job {runs} -o json | grep -E '\"(DONE|INTERRUPTED)\"'", 20, "the job has no end")
        with self.subTest("disabled by an administrator, it stays so"):
            self.system.run("systemctl disable --now --quiet holdfast-agent.service")
            status, said = self.system.run(f"{APT} /root/{AGENT.format(VERSION)}", expect=None)
            self.assertNotEqual(status, 0)
            self.assertIn("is older", said)
            self.system.run(f"dpkg -i /root/{AGENT.format(NEXT)}")
            self.assertEqual(self.active("holdfast-agent.service"), "inactive")

    def test_an_update_over_the_link_is_kept_and_one_that_crashes_is_taken_back(self):
        agent = self.endpoint()
        work = "/var/lib/holdfast/updates"
        self.system.run(f"install -d -o holdfast -m 0755 {work}")
        self.system.run(f"{HOLDFAST} update key {work}/update.key && {HOLDFAST} update root --update-key {work}/update.key.pub")
        place = self.system.path(work)

        def update(version, program):
            """The rollout's one ring, ended."""
            program.chmod(0o755)
            self.system.run(f"{HOLDFAST} update release {work}/{version} --version {version} "
                            f"--program amd64={work}/{program.name} --sign-with {work}/update.key")
            began = time.monotonic()
            self.system.run(f"{HOLDFAST} update start {work}/{version} --hold 3s --link-within 20s --silent-after 2m --yes")
            rings = None
            while not rings or any(r["waiting"] + r["under_way"] + r["silent"] for r in rings):
                self.assertLess(time.monotonic() - began, 90, rings)
                time.sleep(0.2)
                rings = json.loads(self.system.run(f"{HOLDFAST} update status -o json", expect=None)[1])
            self.wait_online(agent)
            return {what: sum(r[what] for r in rings) for what in ("updated", "rolled_back", "failed")}, time.monotonic() - began

        def runs():
            return self.agents()[agent]["version"], self.active("holdfast-agent.service"), self.main_pid("holdfast-agent.service")

        before = self.main_pid("holdfast-agent.service")
        counts, _ = update("0.2.0", releases.versioned(place / "good", "0.2.0", ROOT / "build/release/bin/holdfast-agent"))
        gap = self.link_gap()
        print(f"  update under systemd: the link was down for {gap:.1f} s (<= {LINK_GAP_SECONDS})", flush=True)
        self.assertLessEqual(gap, LINK_GAP_SECONDS)
        self.assertEqual(counts, {"updated": 1, "rolled_back": 0, "failed": 0})
        self.assertEqual(runs(), ("0.2.0", "active", before))  # systemd has not noticed
        self.assertEqual(self.one(agent), [{"one": 1}])
        with self.subTest("it is what runs after a restart"):
            self.system.run("systemctl restart holdfast-agent")
            self.wait_online(agent)
            self.assertEqual(self.agents()[agent]["version"], "0.2.0")
        with self.subTest("a build that crashes"):
            counts, took = update("0.3.0", releases.script(place / "crashes", "0.3.0", "kill -SEGV $$"))
            print(f"  a build that crashes is taken back after {took:.1f} s", flush=True)
            self.assertEqual(counts, {"updated": 0, "rolled_back": 1, "failed": 0})
            self.assertEqual(runs()[:2], ("0.2.0", "active"))
            self.assertIn("taken back 0.3.0, ", self.system.run("holdfast-agent status"))
            self.assertRegex(self.system.run("holdfast-agent doctor"), r"update +ok .*0\.2\.0 runs since 20.* UTC; 0\.3\.0 was taken back 20")
            self.assertEqual(self.system.run("systemctl list-units --failed --no-legend --plain 'holdfast*'"), "")
        with self.subTest("/usr is as it was packaged"):
            self.assertEqual(self.system.run("dpkg --verify holdfast-agent").strip(), "")
            self.assertIn(VERSION, self.system.run("cd / && env -i /usr/sbin/holdfast-agent version"))
        with self.subTest("purge takes what was fetched along"):
            self.system.run(f"rm -rf {work} && apt-get -q -y purge holdfast-agent")
            self.assertEqual(self.traces(), [])

    def test_remove_and_purge_leave_neither_units_nor_processes(self):
        agent = self.endpoint()
        self.system.run("apt-get -q -y remove holdfast-agent")
        self.assertEqual(self.running(), [])
        self.system.run(f"{APT} /root/{AGENT.format(VERSION)}")
        self.assertEqual(self.wait_online(agent), agent)
        self.system.run("apt-get -q -y purge holdfast-agent")
        self.assertEqual(self.running(), [])
        left = [t for t in self.traces() if not t.startswith(("/var/cache/", "/var/log/journal", "/sys/", "/run/"))]
        self.assertEqual(left, [])
        self.assertEqual(self.system.run("systemctl list-unit-files --no-legend 'holdfast-agent*'; true"), "")
        self.assertEqual(self.system.run("systemctl list-units --all --no-legend --plain --state=loaded 'holdfast-agent*'"), "")

    def test_the_archive_installs_into_a_system_with_systemd(self):
        self.backend()
        self.bundle("/root/bundle")
        self.system.run(f"cd /root && tar -xzf holdfast-agent-{VERSION}-amd64.tar.gz")
        self.system.run(f"/root/holdfast-agent-{VERSION}-amd64/install.sh --bundle /root/bundle")
        agent = self.wait_online()
        before = self.main_pid("holdfast-agent")
        self.system.run(f"/root/holdfast-agent-{VERSION}-amd64/install.sh")
        self.assertNotEqual(self.main_pid("holdfast-agent"), before)
        self.assertEqual(self.wait_online(agent), agent)
        self.system.run(f"/root/holdfast-agent-{VERSION}-amd64/uninstall.sh --purge")
        self.assertEqual(self.running(), [])
        self.assertEqual(self.system.run("systemctl list-unit-files --no-legend 'holdfast-agent*'; true"), "")

    # --- the backend ------------------------------------------------------------------------------
    def test_the_backend_serves_under_all_that_its_unit_takes_away(self):
        agent = self.endpoint()
        score = self.system.run("systemd-analyze security --no-pager holdfastd.service", seconds=60)
        exposed = float(re.search(r"Overall exposure level for holdfastd.service: ([\d.]+)", score)[1])
        print(f"  systemd-analyze security holdfastd: {exposed} (<= {MOST_EXPOSED})", flush=True)
        self.assertLessEqual(exposed, MOST_EXPOSED, score)
        with self.subTest("an upload, a download, a backup and a reload work in it"):
            self.system.run("head -c 3000000 /dev/urandom > /var/lib/holdfast/file && chmod 644 /var/lib/holdfast/file")
            self.system.run(f"{HOLDFAST} put {agent} /var/lib/holdfast/file /root/put")
            self.system.run("cmp /var/lib/holdfast/file /root/put")
            self.system.run(f"cd /var/lib/holdfast && {HOLDFAST} get {agent} /root/put -d got && cmp got/*/put file")
            self.system.run(f"cd /var/lib/holdfast && runuser -u holdfast -- holdfastd backup --dir {FLEET} b.tar")
            before = self.link_events()
            self.system.run("systemctl reload holdfastd")
            self.assertEqual(self.one(agent), [{"one": 1}])
            self.assertEqual(self.link_events(), before)  # none was cut
        with self.subTest("nothing that it is refused is needed"):
            self.assertEqual(self.system.run(f"{JOURNAL} -u holdfastd | grep -iE 'not permitted|denied|core-dump|SIGSYS'; true"), "")

    def test_the_backend_comes_back_from_every_restart_and_so_do_its_agents(self):
        agent = self.endpoint()
        for what in ("systemctl restart holdfastd", "kill -KILL $(systemctl show -P MainPID holdfastd)"):
            with self.subTest(what):
                job = self.job(agent, "sleep 2; echo over")
                before, linked = self.main_pid("holdfastd"), self.link_events()
                began = time.monotonic()
                self.system.run(what)
                self.system.until(f"p=$(systemctl show -P MainPID holdfastd); test $p != 0 -a $p != {before}", 20)
                self.wait_backend()
                self.assertEqual(self.wait_online(agent, 60), agent)
                print(f"  {what.split('$')[0].strip()}: the agent is back after {time.monotonic() - began:.1f} s", flush=True)
                if "KILL" in what:
                    self.assertEqual(self.link_events(), linked, "gateways outlive their supervisor")
                self.system.until(f"{HOLDFAST} results {job} | grep over", 30, "the result is lost")
        with self.subTest("reinstalled"):
            before = self.main_pid("holdfastd")
            self.system.run(f"dpkg -i /root/{BACKEND}")
            self.assertNotEqual(self.main_pid("holdfastd"), before)
            self.wait_backend()
            self.assertEqual(self.wait_online(agent, 60), agent)
        with self.subTest("a configuration that is wrong is not tried again and again"):
            config = self.system.path(f"{FLEET}/server/holdfastd.toml")
            good = config.read_text()
            config.write_text(good + "\n[nonsense]\nkey = 1\n")
            self.system.run("systemctl restart holdfastd; true")
            self.system.until("test $(systemctl show -P ActiveState holdfastd) = failed", 20)
            self.assertIn("nonsense", self.system.run(f"{JOURNAL} -u holdfastd | tail -5"))
            config.write_text(good)
            self.system.run("systemctl start holdfastd")
            self.assertEqual(self.wait_online(agent, 60), agent)
        with self.subTest("removed, and the fleet stays"):
            self.system.run("apt-get -q -y remove holdfast-backend")
            self.assertEqual(self.system.run("pgrep -x holdfastd; true"), "")
            self.system.run(f"test -d {FLEET}/offline && {APT} /root/{BACKEND}")
            self.wait_backend()
            self.assertEqual(self.wait_online(agent, 60), agent)

    def test_nobody_is_refused_while_the_backend_is_restarted_or_dies(self):
        self.backend()
        # Connects all the time, to both ports, as those do who were just cut off.
        self.system.path("/root/connects").write_text(CONNECTS)
        self.system.run("systemd-run -q --unit=connects bash /root/connects")
        for what in ("systemctl restart holdfastd", "kill -KILL $(systemctl show -P MainPID holdfastd)",
                     f"dpkg -i /root/{BACKEND}"):
            before = self.main_pid("holdfastd")
            self.system.run(what)
            self.system.until(f"p=$(systemctl show -P MainPID holdfastd); test $p != 0 -a $p != {before}", 20)
            self.wait_backend()
        tried = self.system.run("systemctl stop connects; cat /root/connected | wc -l")
        refused = self.system.run("cat /root/refused 2>/dev/null | wc -l")
        print(f"  {int(tried)} connections over three restarts, {int(refused)} refused", flush=True)
        self.assertGreater(int(tried), 100)
        self.assertEqual(int(refused), 0)
        with self.subTest("an address that it no longer listens on is let go"):
            config = self.system.path(f"{FLEET}/server/holdfastd.toml")
            text = config.read_text()
            self.assertIn('listen = "127.0.0.1:8444"', text)
            config.write_text(text.replace('listen = "127.0.0.1:8444"', 'listen = "127.0.0.1:18444"'))
            self.system.run("systemctl restart holdfastd")
            self.wait_backend()
            self.system.until("ss -Hltn | grep 127.0.0.1:18444", 10)
            self.assertEqual(self.system.run("ss -Hltn 'sport = :8444'"), "")
        with self.subTest("stopped, it is gone"):
            self.system.run("systemctl stop holdfastd")
            self.assertEqual(self.system.run("ss -Hltn 'sport = :8443'"), "")

    def test_the_systems_own_timers_find_nothing_to_complain_about(self):
        self.endpoint()
        for unit in ("logrotate.service", "systemd-tmpfiles-clean.service"):
            self.system.run(f"systemctl start {unit}")
            self.assertEqual(self.system.run(f"systemctl show -P Result {unit}").strip(), "success", unit)


class TrixieTest(SystemdTest):
    """systemd 257, with the packages that were built on Debian 12."""
    suite = "trixie-systemd"


if __name__ == "__main__":
    unittest.main(verbosity=2)
