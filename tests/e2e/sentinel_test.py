#!/usr/bin/env python3
"""Redis with Sentinel: the backend finds the master, follows every failover under load, and loses no accepted command, also
when the new master lacks what the old one had taken."""
import re
import secrets
import signal
import socketserver
import threading
import time

from harness.case import StackTest, main
from harness.load import Load
from harness.procs import wait_for
from harness.sentinel import DOWN_MS, SentinelSet
from harness.stack import ROOT

RECOVERY_SECONDS = 40  # 15 s for a gateway's silence, 10 s for a sweep, and a failover


class Behind(socketserver.BaseRequestHandler):
    """A Sentinel that has not heard of the last failover: it sends everybody to the replica."""

    def handle(self):
        while asked := self.request.recv(65536):
            if b"\r\nholdfast\r\n" not in asked:
                self.request.sendall(b"*-1\r\n")
                continue
            port = b"%d" % self.server.redis_set.replica
            self.request.sendall(b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n" % (len(port), port))
            self.server.asked += 1


class SentinelTest(StackTest):
    gateways = 2

    @classmethod
    def setUpClass(cls):
        page = (ROOT / "docs/operations/redis.md").read_text().split("## A cluster")[0]
        passwords = {role: secrets.token_hex(16) for role in ("supervisor", "gateway", "control")}
        acl = "\n".join(f"user holdfast-{role} {rules.replace('>PASSWORD', '>' + passwords[role])}"
                        for role, rules in re.findall(r"^user holdfast-(\w+) (.*)$", page, re.M))
        cls.redis_set = SentinelSet(acl).start()
        cls.addClassCleanup(cls.redis_set.stop)
        cls.redis_users = "".join(f"{role} holdfast-{role} {word}\n" for role, word in passwords.items())
        cls.behind = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Behind)
        cls.behind.daemon_threads = True
        cls.behind.redis_set, cls.behind.asked = cls.redis_set, 0
        threading.Thread(target=cls.behind.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.behind.shutdown)
        # The first that anybody asks.
        url = cls.redis_set.url.replace("://", f"://127.0.0.1:{cls.behind.server_address[1]},")
        cls.keys = (("redis", "url", url),)
        super().setUpClass()

    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    def works(self):
        self.assertEqual(self.stack.holdfast("exec", self.agent.id, "--", "true").json()[0]["outcome"], "DONE")

    def connected(self):
        """Each process has its connections at the master, and at no other."""
        names = {port: sum(b"user=holdfast-" in line for line in self.redis_set.ask(port, "CLIENT", "LIST").splitlines())
                 for port in self.redis_set.ports}
        return names[self.redis_set.master] >= 2 * 3 and names[self.redis_set.replica] == 0

    def survives(self, load, break_it, mend):
        old = self.redis_set.master
        before = load.ran()
        begun = time.monotonic()
        break_it(old)
        self.redis_set.wait_moved(old)
        moved = time.monotonic() - begun
        wait_for(lambda: load.ran() > before + 3, RECOVERY_SECONDS, lambda: self.redis_set.logs() + self.stack.logs(), every=0.05)
        print(f"another master after {moved:.1f} s, commands ran again after {time.monotonic() - begun:.1f} s")
        mend(old)
        self.redis_set.wait_whole()
        wait_for(self.connected, 20, lambda: self.redis_set.logs() + self.stack.logs())

    def test_it_works_through_sentinels_and_nobody_is_at_the_replica(self):
        self.works()
        self.assertTrue(self.connected())
        self.assertGreater(self.behind.asked, 3)
        self.assertIn("it is not the master, or not yet", self.stack.log.read_text())

    def test_no_command_is_lost_over_failovers_under_load(self):
        servers = self.redis_set.servers

        def kill(port):
            servers[port].kill()
            servers[port].wait()

        with Load(self, self.agent, RECOVERY_SECONDS) as load:
            load.goes_on()
            time.sleep(1)
            # It ends and comes back, believing for a while that it is the master.
            self.survives(load, kill, self.redis_set.start_server)
            # It stands still, and finds itself deposed when it goes on.
            self.survives(load, lambda port: servers[port].send_signal(signal.SIGSTOP),
                          lambda port: servers[port].send_signal(signal.SIGCONT))
            # An operator orders it, and the old one lives on.
            self.survives(load, lambda _: self.redis_set.ask(self.redis_set.sentinel_ports[1], "SENTINEL", "FAILOVER", "holdfast"),
                          lambda _: None)
            time.sleep(1)
        load.check()
        self.assertEqual(sum(load.refused.values()), 0)  # Redis has no part in accepting

    def test_what_the_new_master_never_got_is_sent_again(self):
        redis_set, servers = self.redis_set, self.redis_set.servers
        with Load(self, self.agent, RECOVERY_SECONDS) as load:
            load.goes_on()
            master, replica = redis_set.master, redis_set.replica
            # The replica sees nothing from here on. Its Sentinels must not come to think that it is gone.
            servers[replica].send_signal(signal.SIGSTOP)
            redis_set.ask(master, "CLIENT", "KILL", "TYPE", "replica")
            cut, before = redis_set.offset(master), len(load.accepted)
            time.sleep(DOWN_MS / 1000 * 0.7)
            lost = redis_set.offset(master) - cut
            servers[master].kill()
            servers[master].wait()
            servers[replica].send_signal(signal.SIGCONT)
            redis_set.wait_moved(master)
            self.assertGreater(len(load.accepted), before)
            ran = load.ran()
            wait_for(lambda: load.ran() > ran + 3, RECOVERY_SECONDS, lambda: redis_set.logs() + self.stack.logs(), every=0.05)
            redis_set.start_server(master)
        load.check()
        self.assertGreater(lost, 1000)
        print(f"the new master lacked {lost} bytes of entries")
        redis_set.wait_whole()

    def test_a_dead_a_frozen_and_a_late_sentinel_are_passed_by(self):
        first, second, _ = self.redis_set.sentinel_ports
        sentinels = self.redis_set.sentinels
        sentinels[first].kill()
        sentinels[first].wait()
        sentinels[second].send_signal(signal.SIGSTOP)
        try:
            master = self.redis_set.ask(self.redis_set.sentinel_ports[2], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "holdfast")[1]
            for _ in range(3):
                self.redis_set.ask(int(master), "CLIENT", "KILL", "TYPE", "normal")
                begun = time.monotonic()
                self.works()
                print(f"answered {time.monotonic() - begun:.1f} s after the cut")
        finally:
            sentinels[second].send_signal(signal.SIGCONT)
            self.redis_set.start_sentinel(first)
        self.redis_set.wait_whole()

    def test_a_master_nobody_knows_is_named_and_commands_wait(self):
        self.stack.stop_backend()
        config = self.stack.fleet / "server/holdfastd.toml"
        good = config.read_text()
        config.write_text(good.replace("/holdfast\"", "/other\""))
        try:
            with self.assertRaises(AssertionError) as failed:
                self.stack.start()
            self.assertIn("it knows no master of that name", str(failed.exception) + self.stack.log.read_text())
            job = self.stack.holdfast("exec", self.agent.id, "--wait", "0", "--", "true").json()[0]["job"]
        finally:
            self.stack.stop_backend()
            config.write_text(good)
            self.stack.start()
        self.stack.wait_online(self.agent)
        wait_for(lambda: self.stack.holdfast("job", job).json()["deliveries"][0]["outcome"] == "DONE", 20, self.stack.logs)


if __name__ == "__main__":
    main()
