#!/usr/bin/env python3
"""The supervisor is killed: links stay with their gateways, the next supervisor adopts these, and all that was accepted ends."""
import json
import signal
import subprocess
import time

from harness.case import StackTest, main
from harness.procs import wait_for
from harness.stack import BIN, set_key

PATIENCE_SECONDS = 30  # of a gateway, without a supervisor
SILENCE_SECONDS = 15   # a gateway that says nothing for so long is killed
SLACK_SECONDS = 15     # a busy machine


class SupervisorKilledTest(StackTest):
    gateways = 2

    @classmethod
    def set_up_agents(cls):
        cls.agents = [cls.stack.add_agent(name) for name in "abcd"]
        cls.config = cls.stack.fleet / "server/holdfastd.toml"

    # --- what is looked at -----------------------------------------------------------------------
    def epoch(self, agent):
        """Goes up with each link."""
        said = subprocess.run([BIN / "holdfast-agent", "status", "--state", agent.state, "-o", "json"],
                              capture_output=True, timeout=30, env=self.stack.env(), check=True)
        return json.loads(said.stdout)["journal"]["epoch"]

    def epochs(self):
        return [self.epoch(agent) for agent in self.agents]

    def gateways_now(self):
        return sorted(p.pid for p in self.stack.processes("gateway"))

    def links(self):
        metrics = self.stack.metrics()
        return [metrics.get(f'holdfast_links{{proc="g{i}"}}', 0) for i in range(2)]

    def answers(self):
        for agent in self.agents:
            answer = self.stack.holdfast("query", agent.id, "SELECT 1 AS one").json()[0]
            self.assertEqual(answer["outcome"], "DONE")

    def log(self):
        return self.stack.log.read_text()

    def settle(self):
        """Two gateways, everybody linked."""
        wait_for(lambda: len(self.gateways_now()) == 2, SLACK_SECONDS, lambda: f"{self.gateways_now()}")
        self.stack.wait_online(*self.agents, seconds=60)
        wait_for(lambda: sum(self.links()) == len(self.agents), SLACK_SECONDS, lambda: f"links {self.links()}")

    def kill_supervisor(self):
        self.stack.backend.send_signal(signal.SIGKILL)
        self.stack.backend.wait(10)

    def order(self, *words):
        return self.stack.run("holdfastd", "--dir", self.stack.fleet, *words, timeout=120)

    # --- promises --------------------------------------------------------------------------------
    def test_links_stay_and_what_was_under_way_ends(self):
        self.settle()
        gateways, epochs, opened = self.gateways_now(), self.epochs(), self.stack.metrics()["holdfast_links_opened_total"]
        jobs = [self.stack.holdfast("exec", agent.id, "--wait", "0", "--", "/bin/sh", "-c",
                                    "echo began; sleep 6; echo ended").json()[0]["job"] for agent in self.agents]
        self.kill_supervisor()
        time.sleep(2)
        self.assertEqual(self.gateways_now(), gateways, "they live")
        began = time.monotonic()
        self.stack.start()
        self.answers()
        print(f"after a start, commands run within {time.monotonic() - began:.1f} s")
        self.assertEqual(self.gateways_now(), gateways, "they are adopted, and none is started beside them")
        self.assertEqual(self.epochs(), epochs, "nobody has dialled again")
        self.assertEqual(self.stack.metrics()["holdfast_links_opened_total"], opened, "counters go on")
        self.assertEqual(sum(self.links()), len(self.agents))
        for job in jobs:
            wait_for(lambda job=job: self.stack.holdfast("job", job).json()["deliveries"][0]["outcome"] == "DONE", 60,
                     self.stack.logs, every=0.2)
            self.assertEqual(self.stack.holdfast("results", job, output=None).text, "began\nended\n")

    def test_adopted_gateways_are_rolled_scaled_replaced_and_ended_as_any(self):
        self.settle()
        self.kill_supervisor()
        self.stack.start()
        adopted = self.gateways_now()
        victim = next(p for p in self.stack.processes("gateway") if p.pid == adopted[0])
        victim.kill()
        wait_for(lambda: len(self.gateways_now()) == 2 and victim.pid not in self.gateways_now(), SLACK_SECONDS,
                 "a killed one is not replaced")
        frozen = next(p for p in self.stack.processes("gateway") if p.pid == adopted[1])
        frozen.kill(signal.SIGSTOP)
        wait_for(lambda: not frozen.alive(), SILENCE_SECONDS + SLACK_SECONDS, "a frozen one is not killed")
        self.settle()
        self.kill_supervisor()
        self.stack.start()
        adopted = self.gateways_now()
        self.order("roll")
        wait_for(lambda: not set(adopted) & set(self.gateways_now()), SLACK_SECONDS, "not rolled")
        self.settle()
        self.answers()
        self.kill_supervisor()
        self.stack.start()
        self.order("scale", "1")
        wait_for(lambda: len(self.gateways_now()) == 1, SLACK_SECONDS, "one is left")
        self.order("scale", "2")
        self.settle()
        self.kill_supervisor()
        self.stack.start()
        self.assertEqual(self.stack.stop_backend(), 0)
        self.assertEqual(self.gateways_now(), [], "who adopts them ends them")
        self.stack.start()
        self.settle()
        self.answers()

    def test_a_gateway_of_another_configuration_lets_its_links_go(self):
        self.settle()
        gateways, text = self.gateways_now(), self.config.read_text()
        self.addCleanup(self.stack.start)
        self.addCleanup(self.config.write_text, text)
        self.addCleanup(self.stack.stop_backend)
        # One that changes while it runs is no reason.
        self.config.write_text(set_key(text, "log", "level", "debug"))
        self.kill_supervisor()
        self.stack.start()
        self.assertEqual(self.gateways_now(), gateways)
        # One that a process has from its start on is.
        self.config.write_text(set_key(text, "gateways", "rx_buffer_bytes", 8192))
        self.kill_supervisor()
        self.stack.start()
        wait_for(lambda: not set(gateways) & set(self.gateways_now()), SLACK_SECONDS, "still there")
        self.settle()
        self.answers()
        self.assertIn("event=orphan_leaves", self.log())

    def test_without_a_supervisor_they_end_and_the_next_start_is_as_any(self):
        self.settle()
        gateways = self.stack.processes("gateway")
        self.kill_supervisor()
        wait_for(lambda: not any(p.alive() for p in gateways), PATIENCE_SECONDS + SLACK_SECONDS, "still there")
        self.stack.start()
        self.settle()
        self.answers()

    def test_one_that_hangs_without_a_supervisor_ends_too(self):
        self.settle()
        hanging, other = self.stack.processes("gateway")
        hanging.kill(signal.SIGSTOP)
        self.kill_supervisor()
        self.stack.start()  # has waited for it, and has started another one
        self.assertIn(other.pid, self.gateways_now())
        self.settle_without(hanging)
        hanging.kill(signal.SIGCONT)
        wait_for(lambda: not hanging.alive(), SLACK_SECONDS, "comes late, and is not sent away")
        self.settle()
        self.answers()

    def settle_without(self, hanging):
        wait_for(lambda: len(set(self.gateways_now()) - {hanging.pid}) == 2, SLACK_SECONDS, "no other")


if __name__ == "__main__":
    main()
