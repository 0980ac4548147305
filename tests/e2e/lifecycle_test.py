#!/usr/bin/env python3
"""Agents that are removed, lose their journal, or share one identity: what becomes of their commands."""
import shutil
import subprocess

from harness import procs
from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import BIN, Agent


class LifecycleTest(StackTest):
    def queue(self, agent, *argv):
        """Signs and submits, and does not wait; the command's name."""
        return self.stack.holdfast("exec", agent.id, "--wait", "0", "--", *argv,
                                   expect=None).json()[0]["job"]

    def ends(self, job, outcome, failure):
        """The one delivery of a job comes to this end."""
        delivery = lambda: self.stack.holdfast("job", job).json()["deliveries"][0]
        wait_for(lambda: delivery()["outcome"] == outcome, 30, lambda: str(delivery()), every=0.2)
        self.assertEqual(delivery()["failure"], failure)

    def test_a_removed_agent_is_gone_for_good_and_its_commands_end(self):
        agent = self.stack.add_agent("removed")
        agent.stop()
        self.stack.wait_online(agent, online=False)
        job = self.queue(agent, "true")
        self.stack.holdfast("agents", "rm", agent.id, "--yes")
        self.ends(job, "INTERRUPTED", "AGENT_REMOVED")
        self.assertNotIn(agent.id, self.stack.agent_rows())
        before = self.stack.metrics()["holdfast_links_opened_total"]
        agent.start()
        wait_for(lambda: any(word in agent.log.read_text() for word in ("revoked", "not_enrolled")),
                 20, lambda: agent.log.read_text()[-2000:])
        self.assertIn("enrol anew", agent.log.read_text())  # what to do about it
        self.assertEqual(self.stack.metrics()["holdfast_links_opened_total"], before)
        agent.stop()

    def test_an_agent_that_is_removed_while_online_is_cut(self):
        agent = self.stack.add_agent("cut")
        self.stack.holdfast("agents", "rm", agent.id, "--yes")
        wait_for(lambda: "revoked" in agent.log.read_text(), 10,
                 lambda: agent.log.read_text()[-2000:])
        agent.stop()

    def test_a_lost_journal_ends_what_was_open(self):
        agent = self.stack.add_agent("forgetful")
        sleepers = lambda: [p for p in procs.all_processes() if p.argv == ["sleep", "65432"]]
        job = self.queue(agent, "sleep", "65432")
        wait_for(sleepers, 10, "the command did not start")
        agent.kill()
        wait_for(lambda: not sleepers(), 10, "the program outlived the agent")
        for file in agent.state.glob("journal.db*"):
            file.unlink()
        agent.start()
        self.stack.wait_online(agent)
        self.ends(job, "INTERRUPTED", "JOURNAL_LOST")
        answer = self.stack.holdfast("query", agent.id, "SELECT 1 AS one").json()[0]
        self.assertEqual(answer["outcome"], "DONE")  # and it goes on
        agent.stop()

    def test_an_agent_killed_while_it_runs_a_command_says_so_and_runs_it_only_once(self):
        agent = self.stack.add_agent("mortal")
        mark = self.stack.dir / "ran"
        job = self.queue(agent, "sh", "-c", f"echo ran >> {mark}; exec sleep 65433")
        wait_for(mark.exists, 10, "the command did not start")
        agent.kill()
        agent.start()
        self.stack.wait_online(agent)
        self.ends(job, "INTERRUPTED", "INTERRUPTED")
        self.assertEqual(mark.read_text(), "ran\n")
        agent.stop()

    def test_unenrol_deletes_an_agent_that_has_stopped_and_nothing_else(self):
        agent = self.stack.add_agent("leaver")
        self.assertEqual((agent.state / "enrolled").read_text().strip(), agent.id)
        mine = agent.state / "notes.txt"
        mine.write_text("not the agent's")
        unenrol = lambda state: subprocess.run([BIN / "holdfast-agent", "unenrol", "--state", state],
                                               capture_output=True, text=True, check=False)
        runs = unenrol(agent.state)
        self.assertEqual(runs.returncode, 1)
        self.assertIn("stop it first", runs.stderr)
        agent.stop()
        gone = unenrol(agent.state)
        self.assertEqual((gone.returncode, gone.stdout.strip()), (0, agent.id), gone.stderr)
        self.assertEqual(list(agent.state.iterdir()), [mine])
        (agent.state / "journal.db").touch()  # as one that was interrupted leaves it: last the journal
        half = unenrol(agent.state)
        self.assertEqual(half.returncode, 0, half.stderr)
        self.assertEqual(list(agent.state.iterdir()), [mine])
        again = unenrol(agent.state)
        self.assertEqual(again.returncode, 2)
        self.assertIn("not enrolled", again.stderr)
        self.assertEqual(list(agent.state.iterdir()), [mine])

    def test_of_two_agents_with_one_identity_only_one_is_served(self):
        agent = self.stack.add_agent("original")
        agent.stop()
        copy = Agent(self.stack, "copy")
        shutil.copytree(agent.state, copy.state)
        copy.id = agent.id
        self.stack.agents["copy"] = copy
        agent.start()
        self.stack.wait_online(agent)
        copy.start()
        wait_for(lambda: "clone" in copy.log.read_text() or "clone" in agent.log.read_text(), 30,
                 lambda: self.stack.logs())
        copy.stop()
        agent.stop()


if __name__ == "__main__":
    main()
