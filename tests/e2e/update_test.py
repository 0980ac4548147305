#!/usr/bin/env python3
"""Agents get another program, ring by ring: what comes back, what is taken back, and what runs on all the while."""
import json
import os
import re
import signal
import subprocess
import time
import unittest

from harness import procs
from harness.case import StackTest, main
from harness.procs import wait_for
from harness.releases import KeptAgent, Shop, add_kept, script, version_of
from harness.stack import BIN

QUICK = ("--hold", "2s", "--link-within", "20s", "--silent-after", "25s", "--yes")
LINK_GAP_SECONDS = 5


def log_ms(line):
    """The time of a log line, in ms of the day."""
    hours, minutes, seconds = re.search(r"T(\d\d):(\d\d):(\d\d(?:\.\d+)?)", line).groups()
    return ((int(hours) * 60 + int(minutes)) * 60 + float(seconds)) * 1000


class UpdateTest(StackTest):
    @classmethod
    def set_up_agents(cls):
        cls.shop = Shop(cls.stack)
        cls.kept = [add_kept(cls.stack, name) for name in ("a", "b", "c")]

    def rings(self):
        reply = self.stack.holdfast("update", "status", expect=None)
        return reply.json()

    def ended(self, seconds=120):
        def over():
            rings = self.rings()
            return rings if all(r["waiting"] + r["under_way"] + r["silent"] == 0 for r in rings) else None
        return wait_for(over, seconds, lambda: f"the rollout does not end\n{self.rings()}\n{self.stack.logs()}", 0.5)

    def said_at_the_endpoint(self, agent, word):
        reply = subprocess.run([BIN / "holdfast-agent", word, "--state", agent.state, "-o", "json"], capture_output=True,
                               env=self.stack.env())
        return json.loads(reply.stdout)

    def update_step(self, agent):
        """What doctor says of updates."""
        return next(s["found"] for s in self.said_at_the_endpoint(agent, "doctor")["steps"] if s["step"] == "update")

    def gaps(self, agent, since):
        """How long the link was away, each time, in ms, as control saw it."""
        found, away = [], None
        for line in self.stack.log.read_text(errors="replace")[since:].splitlines():
            if f"agent={agent.id}" not in line:
                continue
            if "agent_offline" in line:
                away = log_ms(line)
            elif "agent_online" in line and away is not None:
                found.append(log_ms(line) - away)
                away = None
        return found

    def test_1_goes_from_ring_to_ring_and_loses_nothing(self):
        release = self.shop.good("0.2.0")
        pids = [agent.process.pid for agent in self.kept]
        planned = self.stack.holdfast("update", "plan", release).json()
        self.assertEqual(sorted(row["ring"] for row in planned), [1, 2, 3])
        self.assertEqual({row["agent_id"] for row in planned}, {agent.id for agent in self.kept})
        since = len(self.stack.log.read_text(errors="replace"))
        # Runs when the update comes: neither cut off nor lost.
        first = next(a for a in self.kept if a.id == next(r["agent_id"] for r in planned if r["ring"] == 1))
        job = self.stack.holdfast_begin("exec", first.id, "--", "sh", "-c", "sleep 4; echo whole")
        time.sleep(1)
        self.stack.holdfast("update", "start", release, *QUICK, output=None)
        rings = self.ended()
        out, err = job.communicate(timeout=60)
        self.assertIn("whole", json.dumps(json.loads(out)), err)
        self.assertEqual([(r["agents"], r["updated"], r["state"]) for r in rings], [(1, 1, "done")] * 3)
        for agent, pid in zip(self.kept, pids):
            self.assertEqual(version_of(self.stack, agent), "0.2.0")
            self.assertEqual(agent.process.pid, pid, "a service manager would have noticed")
            self.assertEqual(agent.program(), agent.state / "programs/holdfast-agent-0.2.0")
            gaps = self.gaps(agent, since)
            print(f"{agent.name}: link gaps {[round(g) for g in gaps]} ms")
            self.assertTrue(gaps)
            self.assertLessEqual(max(gaps), LINK_GAP_SECONDS * 1000)
        # And what has proven itself is what a later start runs, whoever starts it and however.
        first.process.kill()
        wait_for(lambda: first.running() and first.process.pid not in pids, 20, "not started again")
        self.stack.wait_online(first)
        self.assertEqual(version_of(self.stack, first), "0.2.0")
        status = self.said_at_the_endpoint(first, "status")
        self.assertEqual((status["version"], status["fetched"], status["taken_back"]), ("0.2.0", True, None))
        self.assertLess(abs(status["fetched_ms"] / 1000 - time.time()), 120)
        self.assertRegex(self.update_step(first), r"^0\.2\.0 runs since 20[-0-9]+ [:0-9]+ UTC")
        self.stack.holdfast("query", first.id, "SELECT 1 AS one")

    def test_2_a_crashing_build_reaches_one_ring_and_is_taken_back(self):
        release = self.shop.release("0.3.0", script(self.shop.dir / "crashes", "0.3.0", "kill -SEGV $$"))
        before = {agent.name: agent.starts for agent in self.kept}
        began = time.monotonic()
        self.stack.holdfast("update", "start", release, *QUICK, output=None)
        rings = self.ended()
        print(f"taken back after {time.monotonic() - began:.1f} s")
        self.assertEqual([(r["rolled_back"], r["failed"], r["updated"]) for r in rings],
                         [(1, 0, 0), (0, 1, 0), (0, 1, 0)], rings)
        self.assertEqual([r["state"] for r in rings][1:], ["halted", "halted"])
        self.stack.wait_online(*self.kept)
        self.assertEqual({version_of(self.stack, agent) for agent in self.kept}, {"0.2.0"})
        restarted = [a for a in self.kept if a.starts > before[a.name]]
        self.assertEqual(len(restarted), 1, "one ring of one agent")
        self.assertEqual(restarted[0].starts - before[restarted[0].name], 3)
        jobs = self.stack.holdfast("jobs").json()
        failed = self.stack.holdfast("job", next(j["job"] for j in jobs if j["verb"] == "update" and
                                                 "after" not in j["detail"])).text
        self.assertIn("it ended 3 times before it had proven itself", failed)
        self.assertIn("0.2.0 runs", failed)
        # And whoever sits at the endpoint is told the same.
        status = self.said_at_the_endpoint(restarted[0], "status")
        self.assertEqual((status["version"], status["taken_back"]), ("0.2.0", "0.3.0"))
        self.assertLess(abs(status["taken_back_ms"] / 1000 - time.time()), 120)
        self.assertRegex(self.update_step(restarted[0]), r"; 0\.3\.0 was taken back 20[-0-9]+ [:0-9]+ UTC: it ended 3 times")

    def test_3_a_build_that_hangs_is_ended_by_the_kernels_timer_and_taken_back(self):
        # Says nothing and links nowhere; nothing in it looks at a clock.
        release = self.shop.release("0.3.1", script(self.shop.dir / "hangs", "0.3.1", "exec sleep 600"))
        agent = self.kept[0]
        self.stack.holdfast("update", "start", release, agent.id, "--hold", "1s", "--link-within", "2s",
                            "--silent-after", "5m", "--yes", output=None)
        for start in (1, 2, 3):
            wait_for(lambda: f"starts {start}\n" in (agent.state / "update").read_text() and
                     agent.program().name == "sleep", 30, "the script does not run")
            pid = agent.process.pid
            # 63 s a start; the test does not wait for three of them, and does what the timer does.
            self.assertEqual(procs.signal_disposition(pid, signal.SIGALRM), "default")
            os.kill(pid, signal.SIGALRM)
            wait_for(lambda: agent.process.pid != pid, 20, "not started again")
        self.stack.wait_online(agent)
        self.assertEqual(version_of(self.stack, agent), "0.2.0")
        self.assertEqual(self.ended()[0]["rolled_back"], 1)

    def test_4_what_is_no_program_for_this_machine_says_so_and_changes_nothing(self):
        agent = self.kept[1]
        garbage = self.shop.dir / "garbage"
        garbage.write_bytes(b"\x7fELF" + os.urandom(4000))
        other = script(self.shop.dir / "other", "0.9.9", "exit 1")
        for version, program, arch, words in (
                ("0.4.0", garbage, None, ("CANNOT_EXECUTE", "built for another processor?")),
                ("0.4.1", other, None, ("REFUSED_CONTENT", "says that it is 'holdfast-agent 0.9.9'")),
                ("0.4.2", other, "sparc", ("REFUSED_CONTENT", "has no program for"))):
            with self.subTest(version):
                release = self.shop.release(version, program, **({"arch": arch} if arch else {}))
                self.stack.holdfast("update", "start", release, agent.id, *QUICK, output=None)
                self.ended()
                job = next(j["job"] for j in self.stack.holdfast("jobs").json() if j["verb"] == "update")
                told = self.stack.holdfast("job", job).text
                for word in words:
                    self.assertIn(word, told)
                self.assertEqual(version_of(self.stack, agent), "0.2.0")
                self.assertEqual([p.name for p in (agent.state / "programs").iterdir()],
                                 ["holdfast-agent-0.2.0"])

    def test_5_halt_ends_what_has_not_begun(self):
        release = self.shop.good("0.5.0")
        self.stack.holdfast("update", "start", release, "--hold", "30s", "--silent-after", "5m", "--yes", output=None)
        # The first one runs it, and has yet to prove it: that trial goes on by itself.
        wait_for(lambda: "0.5.0" in {version_of(self.stack, a) for a in self.kept}, 30, self.rings)
        self.stack.holdfast("update", "halt", output=None)
        rings = wait_for(lambda: (r := self.rings()) and all(x["waiting"] == 0 for x in r) and r, 30, self.rings)
        self.assertEqual([r["state"] for r in rings][1:], ["halted", "halted"])
        self.assertEqual([version_of(self.stack, a) for a in self.kept].count("0.2.0"), 2)

    def test_6_papers_that_do_not_suffice_are_not_even_sent(self):
        stranger = self.shop.dir / "stranger.key"
        self.stack.run("holdfast", "update", "key", stranger)
        program = script(self.shop.dir / "x", "0.6.0", "exit 1")
        release = self.shop.release("0.6.0", program, sign_with=[stranger])
        said = self.stack.holdfast("update", "start", release, *QUICK, output=None, expect=4)
        self.assertIn("0 valid signatures, 1 are due", said.err)
        (release / f"holdfast-agent-{next(release.glob('holdfast-agent-*')).name[15:]}").write_bytes(b"other")
        good = self.shop.release("0.6.1", script(self.shop.dir / "y", "0.6.1", "exit 1"))
        next(good.glob("holdfast-agent-*")).write_bytes(b"other")
        said = self.stack.holdfast("update", "start", good, *QUICK, output=None, expect=1)
        self.assertIn("is not the program that was signed", said.err)
        without = self.stack.dir / "nobody"
        self.stack.run("holdfast", "update", "root", "--update-key", f"{stranger}.pub", "--dir", without, expect=2)


@unittest.skipIf(os.geteuid() != 0, "needs root")
class BadGroundTest(StackTest):
    """Places where a program cannot be put or run."""

    @classmethod
    def set_up_agents(cls):
        cls.shop = Shop(cls.stack)
        cls.release = cls.shop.good("0.2.0")

    def mounted(self, name, options):
        agent = self.stack.agents[name] = KeptAgent(self.stack, name)
        agent.state.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", agent.state], check=False).returncode:
            self.skipTest("may not mount here")
        self.addCleanup(subprocess.run, ["umount", "-l", agent.state], check=False)
        self.addCleanup(agent.stop)
        agent.enrol(self.stack.bundle())
        agent.start()
        self.stack.wait_online(agent)
        return agent

    def told(self, agent):
        self.stack.holdfast("update", "start", self.release, agent.id, *QUICK, output=None)
        job = next(j["job"] for j in self.stack.holdfast("jobs").json() if j["verb"] == "update")
        wait_for(lambda: self.stack.holdfast("jobs").json()[0]["ended"] == 1, 60, self.stack.logs)
        self.assertEqual(version_of(self.stack, agent), "0.1.0")
        self.stack.holdfast("query", agent.id, "SELECT 1 AS one")
        return self.stack.holdfast("job", job).text

    def test_a_state_directory_that_runs_no_programs(self):
        told = self.told(self.mounted("noexec", "size=300m,noexec,mode=0700"))
        self.assertIn("Permission denied (a file system that runs no programs?)", told)

    def test_a_disk_that_is_full(self):
        agent = self.mounted("full", "size=80m,mode=0700")
        with open(agent.state / "ballast", "wb") as ballast:
            free = os.statvfs(agent.state).f_bavail * os.statvfs(agent.state).f_bsize
            ballast.write(b"\0" * (free - 6 * 1024 * 1024))
        self.assertIn("no room for the new program on the disk of the state directory", self.told(agent))
        self.assertEqual(list((agent.state / "spool").glob("*.blob*")), [])


class ManyTest(StackTest):
    """200 simulated agents and 3 real ones get a build that crashes: it reaches one ring."""
    gateways = 2

    @classmethod
    def set_up_agents(cls):
        cls.shop = Shop(cls.stack)
        cls.kept = [add_kept(cls.stack, name) for name in ("r1", "r2", "r3")]
        bundle = cls.stack.bundle("--uses", "200")
        with open(cls.stack.dir / "sim.log", "wb") as log:
            cls.fleet = subprocess.Popen([BIN / "holdfast-fleet", "--bundle", bundle, "--agents", "200",
                                          "--update-fails", "100", "--versions", "0.0.9:1"], env=cls.stack.env(), stdout=log, stderr=log,
                                         stdin=subprocess.DEVNULL)
        cls.addClassCleanup(cls.end_fleet)
        wait_for(lambda: sum(r["online"] for r in cls.stack.agent_rows().values()) == 203, 60, "not all online")

    @classmethod
    def end_fleet(cls):
        cls.fleet.terminate()
        cls.fleet.wait(20)

    def test_a_crashing_build_reaches_one_ring(self):
        release = self.shop.release("0.2.0", script(self.shop.dir / "crashes", "0.2.0", "kill -SEGV $$"))
        planned = self.stack.holdfast("update", "plan", release).json()
        self.assertEqual(len(planned), 203)
        sizes = [sum(row["ring"] == n for row in planned) for n in (1, 2, 3, 4)]
        self.assertEqual(sum(sizes), 203)
        self.assertLessEqual(sizes[0], 3)
        print(f"rings of {sizes}")
        self.stack.holdfast("update", "start", release, *QUICK, output=None)
        rings = wait_for(lambda: (r := self.stack.holdfast("update", "status", expect=None).json()) and
                         all(x["waiting"] + x["under_way"] == 0 for x in r) and r, 120, self.stack.logs)
        print(rings)
        self.assertEqual(rings[0]["rolled_back"], sizes[0])
        self.assertTrue(all(r["updated"] == 0 and r["rolled_back"] == 0 and r["state"] == "halted" for r in rings[1:]))
        self.stack.wait_online(*self.kept)
        self.assertEqual({r["version"] for r in self.stack.agent_rows().values()}, {"0.1.0", "0.0.9"})
        # One real one was in the first ring: three ends, and the one before again.
        self.assertEqual(sorted(agent.starts for agent in self.kept), [1, 1, 4])


if __name__ == "__main__":
    main()
