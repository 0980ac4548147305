#!/usr/bin/env python3
"""What an intruder on the backend can do to a terminal: end it. And what becomes of one whose operator is gone."""
import os
import signal
import time

from harness import wire
from harness.case import main
from harness.procs import wait_for
from harness.terminal_case import TerminalTest


class IntruderTest(TerminalTest):
    """Somebody on the backend who can read and write Redis, and read control's disk."""

    def gateway_stream(self):
        redis = self.stack.redis()
        self.addCleanup(redis.close)
        (stream,) = [k for k in redis.call("KEYS", "hf:{g.*}:in") if redis.call("EXISTS", k)]
        return redis, stream

    def inject(self, redis, stream, seq, sealed):
        digest = bytes.fromhex(self.job()["job"])
        frame = wire.encode([(13, wire.encode([(1, digest), (2, seq), (3, sealed)]))])
        redis.call("XADD", stream, "*", "m", wire.encode(
            [(1, b"intruder.c0.00000000"), (2, wire.encode([(1, self.agent_id), (2, frame)]))]))

    def seen(self, redis, stream):
        """(seq, sealed) of all that was typed, as it lies in Redis for an intruder to take."""
        digest, out = bytes.fromhex(self.job()["job"]), []
        for _, fields in redis.call("XRANGE", stream, "-", "+"):
            send = wire.field(fields[1], 2)
            for number, frame in wire.decode(send) if isinstance(send, bytes) else []:
                typed = wire.field(frame, 13) if number == 2 else None
                if typed and wire.field(typed, 1) == digest:
                    out.append((wire.field(typed, 2, 0), wire.field(typed, 3)))
        return out

    def test_what_was_typed_can_be_read_and_replayed_by_nobody(self):
        terminal = self.open()
        redis, stream = self.gateway_stream()
        counter = self.stack.dir / "counter"
        self.run_in(terminal, f"echo ran-once-only >> {counter}")
        typed = self.seen(redis, stream)
        self.assertGreater(len(typed), 1)
        self.assertFalse([s for _, s in typed if b"ran-once" in s])
        for _ in range(3):
            for seq, sealed in typed + typed[::-1]:  # again, and in another order
                self.inject(redis, stream, seq, sealed)
        for seq, sealed in typed:                    # ahead of their time: none of its turn
            self.inject(redis, stream, seq + 1000, sealed)
        self.run_in(terminal, "true")
        self.assertEqual(counter.read_text(), "ran-once-only\n")
        self.finish(terminal)
        output = b"".join(p.read_bytes() for p in (self.stack.fleet / "server/state").rglob("*") if p.is_file())
        self.assertNotIn(b"ran-once-only", output)  # nor can control read what was shown
        self.assert_same_recording(terminal)

    def test_what_nobody_typed_ends_it(self):
        for forge in (lambda typed: os.urandom(40), lambda typed: typed[-1][1],
                      lambda typed: typed[-1][1][:-1] + bytes([typed[-1][1][-1] ^ 1])):
            with self.subTest():
                terminal = self.open()
                redis, stream = self.gateway_stream()
                mark = self.stack.dir / "mark"
                typed = self.seen(redis, stream)
                following = max(seq for seq, _ in typed) + 1
                for ahead in range(5):  # the next numbers, whichever it is at
                    self.inject(redis, stream, following + ahead, forge(typed))
                terminal.wait()
                self.assertIn(b"FORGED_INPUT", terminal.shown)
                self.assertFalse(mark.exists())
                self.ended("FORGED_INPUT")
                self.records = self.stack.dir / f"rec-{time.monotonic_ns()}"

    def test_without_its_operator_it_ends_and_what_it_runs_with_it(self):
        terminal = self.open()
        terminal.process.send_signal(signal.SIGKILL)
        job = self.job()["job"]
        def delivery():
            return self.stack.holdfast("job", job).json()["deliveries"][0]
        # It is waited for a minute: that long a cut of the link may be.
        wait_for(lambda: delivery()["state"] == "ENDED", 100, lambda: f"{delivery()}", every=2)
        self.assertEqual(delivery()["failure"], "OPERATOR_GONE", delivery())
        self.assertTrue(delivery()["recording_sha256"])


if __name__ == "__main__":
    main()
