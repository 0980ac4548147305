#!/usr/bin/env python3
"""kill -9 of every process in the middle of a 64 MiB get, FLUSHALL too: the file is byte-exact.

A kill that came before the first or after the last byte would prove nothing: each test looks at what
control had stored at the moment of the kill, and tries again (with another job) if it missed.
"""
import hashlib
import os
import signal
import time

from harness.case import StackTest, main
from harness.procs import wait_for

SIZE = 64 * 1024 * 1024
EARLY, LATE = SIZE // 5, SIZE * 7 // 8  # the middle
TRIES = 6
GET_SECONDS = 120


class KillsTest(StackTest):
    gateways = 3

    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")
        cls.source = cls.stack.dir / "source.bin"
        cls.source.write_bytes(os.urandom(SIZE))
        cls.digest = hashlib.sha256(cls.source.read_bytes()).hexdigest()
        cls.turn = 0

    def results(self):
        """Every file that holds results, with its size."""
        found = {}
        for folder, _, names in os.walk(self.stack.fleet / "server/state/results"):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    found[path] = os.stat(path).st_size
                except FileNotFoundError:
                    pass
        return found

    def get_and(self, hit):
        """A get of 64 MiB, `hit` in its middle; the bytes must be those of the source."""
        for _ in range(TRIES):
            KillsTest.turn += 1
            into = self.stack.dir / f"into-{self.turn}"
            before = self.results()
            get = self.stack.holdfast_begin("get", self.agent.id, self.source, "-d", into)
            stored = 0
            deadline = time.monotonic() + GET_SECONDS
            while get.poll() is None and stored < EARLY:
                self.assertLess(time.monotonic(), deadline, "the get does not begin")
                stored = max((size for path, size in self.results().items() if path not in before),
                             default=0)
            if get.poll() is None:
                hit()
            try:
                out, err = get.communicate(timeout=GET_SECONDS)
            except Exception:
                get.kill()
                get.communicate()
                raise
            self.assertEqual(get.returncode, 0, f"{out.decode()} {err.decode()}")
            (local,) = [p for p in into.rglob("*") if p.is_file()]
            self.assertEqual(local.stat().st_size, SIZE)
            self.assertEqual(hashlib.sha256(local.read_bytes()).hexdigest(), self.digest)
            local.unlink()
            if EARLY <= stored <= LATE:
                print(f"{self.id()}: hit at {stored / 1e6:.0f} MB")
                return
        self.fail(f"never hit the middle in {TRIES} tries")

    def kill_one(self, role):
        victims = self.stack.processes(role)
        self.assertTrue(victims)
        for victim in victims[:1]:
            victim.kill(signal.SIGKILL)
        return victims[0]

    def test_nothing_killed(self):
        self.get_and(lambda: None)

    def test_gateway_killed(self):
        def all_gateways():  # whichever holds the link
            for gateway in self.stack.processes("gateway"):
                gateway.kill(signal.SIGKILL)
        self.get_and(all_gateways)
        wait_for(lambda: len(self.stack.processes("gateway")) == 3, 10, "gateways did not come back")

    def test_control_killed(self):
        self.get_and(lambda: self.kill_one("control"))

    def test_redis_killed(self):
        self.get_and(lambda: self.kill_one("redis"))

    def test_redis_flushed(self):
        def flush():
            redis = self.stack.redis()
            redis.call("FLUSHALL")
            redis.close()
        self.get_and(flush)

    def test_link_killed(self):
        self.get_and(lambda: self.agent.children("link")[0].kill(signal.SIGKILL))

    def test_warden_killed(self):
        def warden():
            self.agent.kill()  # the service manager's part is ours: start it again
            self.agent.start()
        self.get_and(warden)


if __name__ == "__main__":
    main()
