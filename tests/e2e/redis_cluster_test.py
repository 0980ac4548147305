#!/usr/bin/env python3
"""Redis as a cluster of three masters with a replica each: the backend finds the master of its streams, follows failovers and moved
slots under load, and loses no accepted command."""
import re
import secrets
import signal
import time
import urllib.error
import urllib.request

from harness.case import StackTest, main
from harness.load import Load
from harness.procs import wait_for
from harness.redis_cluster import OURS, RedisCluster
from harness.stack import ROOT

RECOVERY_SECONDS = 40  # 15 s for a gateway's silence, 10 s for a sweep, and a failover
LEFT_SECONDS = 6
ROLES = ("supervisor", "gateway", "control")


class RedisClusterTest(StackTest):
    gateways = 2

    @classmethod
    def setUpClass(cls):
        page = (ROOT / "docs/operations/redis.md").read_text()
        page = page[page.index("## A cluster"):]
        passwords = {role: secrets.token_hex(16) for role in ROLES}
        acl = "\n".join(f"user holdfast-{role} {rules.replace('>PASSWORD', '>' + passwords[role])}"
                        for role, rules in re.findall(r"^user holdfast-(\w+) (.*)$", page, re.M))
        assert acl.count("\n") == 2, acl
        cls.cluster = RedisCluster(acl).start()
        cls.addClassCleanup(cls.cluster.stop)
        cls.redis_users = "".join(f"{role} holdfast-{role} {word}\n" for role, word in passwords.items())
        cls.keys = (("redis", "url", cls.cluster.url),)
        super().setUpClass()

    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    def works(self):
        self.assertEqual(self.stack.holdfast("exec", self.agent.id, "--", "true").json()[0]["outcome"], "DONE")

    def said(self):
        return self.cluster.logs() + self.stack.logs()

    def connected(self):
        """Each process has its connections at the master of the streams, and at no other node."""
        at = {port: sum(b"user=holdfast-" in line for line in self.cluster.ask(port, "CLIENT", "LIST").splitlines())
              for port in self.cluster.ports}
        return at.pop(self.cluster.master()) >= 2 * 3 and not any(at.values())

    def survives(self, load, what, break_it, mend=lambda old: None):
        old, before = self.cluster.master(), load.ran()
        began = time.monotonic()
        break_it(old)
        self.cluster.wait_moved(old)
        moved = time.monotonic() - began
        wait_for(lambda: load.ran() > before + 3, RECOVERY_SECONDS, self.said, every=0.05)
        print(f"{what}: another master after {moved:.1f} s, commands ran again after {time.monotonic() - began:.1f} s")
        mend(old)
        self.cluster.wait_whole()
        wait_for(self.connected, 20, self.said)

    def test_it_works_and_everybody_is_at_the_master_of_the_streams(self):
        self.works()
        wait_for(self.connected, 20, self.said)
        self.assertNotIn("redis_denied", self.stack.log.read_text())

    def test_no_command_is_lost_over_failovers_and_a_moved_slot_under_load(self):
        cluster, servers = self.cluster, self.cluster.servers

        def kill(port):
            servers[port].kill()
            servers[port].wait()

        with Load(self, self.agent, RECOVERY_SECONDS) as load:
            load.goes_on()
            time.sleep(1)
            self.survives(load, "killed", kill, cluster.start_server)
            self.survives(load, "frozen", lambda port: servers[port].send_signal(signal.SIGSTOP),
                          lambda port: servers[port].send_signal(signal.SIGCONT))
            self.survives(load, "failover by order", cluster.order_failover)
            self.survives(load, "slot moved", lambda _: cluster.move_slot())
            time.sleep(1)
        load.check()
        self.assertEqual(sum(load.refused.values()), 0)  # Redis has no part in accepting

    def test_a_dead_and_a_frozen_node_are_passed_by(self):
        cluster, servers = self.cluster, self.cluster.servers
        master = cluster.master()
        dead, frozen = [port for port in cluster.ports if port != master and cluster.role(port) == "slave"][:2]
        servers[dead].kill()
        servers[dead].wait()
        servers[frozen].send_signal(signal.SIGSTOP)
        try:
            for _ in range(3):
                cluster.ask(master, "CLIENT", "KILL", "TYPE", "normal")
                began = time.monotonic()
                self.works()
                print(f"answered {time.monotonic() - began:.1f} s after the cut")
        finally:
            servers[frozen].send_signal(signal.SIGCONT)
            cluster.start_server(dead)
        cluster.wait_whole()

    def test_a_cluster_that_does_not_serve_is_said_and_commands_wait(self):
        cluster, servers = self.cluster, self.cluster.servers
        master = cluster.master()
        lost = [master, *cluster.replicas(master)]
        for port in lost:
            servers[port].kill()
            servers[port].wait()
        try:
            wait_for(lambda: "CLUSTERDOWN" in self.unwell() or "no answer" in self.unwell() or "nowhere" in self.unwell(), 20, self.said)
            job = self.stack.holdfast("exec", self.agent.id, "--wait", "0", "--", "true").json()[0]["job"]
        finally:
            for port in lost:
                cluster.start_server(port)
        wait_for(lambda: self.stack.holdfast("job", job).json()["deliveries"][0]["outcome"] == "DONE", RECOVERY_SECONDS, self.said)
        cluster.wait_whole()

    def test_a_slot_that_is_left_on_its_way_is_said_and_what_is_sent_meanwhile_runs_when_it_has_come(self):
        cluster = self.cluster
        with Load(self, self.agent, RECOVERY_SECONDS) as load:
            load.goes_on()
            source, target = cluster.begin_move()
            streams = cluster.keys(source)
            (control,) = [key for key in streams if key.startswith(OURS + "hf:{c.")]
            self.assertEqual(len(streams), 1 + self.gateways, streams)
            cluster.move_keys(source, target, [control])  # its reader has lost it, and the gateways cannot make it anew
            wait_for(lambda: "ASK" in self.unwell(), 10, self.said)
            wait_for(lambda: re.search("redis_lost.*ASK", self.stack.log.read_text()), 10, self.said)
            time.sleep(LEFT_SECONDS)
            load.goes_on()  # is accepted
            before = load.ran()
            began = time.monotonic()
            cluster.end_move(source, target)
            wait_for(lambda: load.ran() > before + 3, RECOVERY_SECONDS, self.said, every=0.05)
            print(f"left on its way for {LEFT_SECONDS} s and more: commands ran again {time.monotonic() - began:.1f} s after it had come")
            wait_for(lambda: not self.unwell(), 20, self.said)
        load.check()
        self.assertEqual(sum(load.refused.values()), 0)
        cluster.wait_whole()
        wait_for(self.connected, 20, self.said)

    def unwell(self):
        """What /healthz complains of."""
        try:
            with urllib.request.urlopen(self.stack.admin_url("/healthz"), timeout=5):
                return ""
        except urllib.error.HTTPError as why:
            return why.read().decode()


if __name__ == "__main__":
    main()
