"""Client: many `holdfast` command lines at once, and the log of what each came to know.

A submit ends ok (accepted), fail (refused: there must be no trace of it) or unknown: the client may
not conclude anything, and settle() sends the same signed bytes again, as docs/delivery.md says.

Threading: one thread; nothing waits but settle() and drain().
"""
import json
import subprocess
import tempfile
import time

from .stack import wait_for

SUBMIT_SECONDS = 20   # --timeout of a submit under faults: long enough for any restart
MOST_AT_ONCE = 6
REFUSED = 4           # docs/cli-output.md


class Call:
    """One command line that runs."""

    def __init__(self, stack, argv, on_end):
        self.argv, self.on_end = argv, on_end
        self.out = tempfile.TemporaryFile()
        self.err = tempfile.TemporaryFile()
        self.process = subprocess.Popen(argv, env=stack.env(), stdin=subprocess.DEVNULL,
                                        stdout=self.out, stderr=self.err)
        self.began = time.monotonic()

    def finish(self):
        texts = []
        for file in (self.out, self.err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
            file.close()
        self.on_end(self.process.returncode, *texts)


class Client:
    def __init__(self, stack):
        self.stack = stack
        self.calls = []
        self.counts = {"ok": 0, "fail": 0, "unknown": 0, "settled": 0}
        self.submit_ms = []

    def busy(self):
        return len(self.calls) >= MOST_AT_ONCE

    def begin(self, argv, on_end, output="json"):
        from .stack import BIN
        words = [str(BIN / "holdfast"), "--dir", str(self.stack.fleet), "-o", output]
        self.calls.append(Call(self.stack, words + [str(w) for w in argv], on_end))

    def submit(self, mark, argv, ttl="10m"):
        began = time.monotonic()

        def ended(status, out, err):
            mark.words = err.strip()
            if status == 0:
                mark.status, mark.job = "ok", json.loads(out)[0]["job"]
                self.submit_ms.append((time.monotonic() - began) * 1000)
            else:
                mark.status = "fail" if status == REFUSED else "unknown"
            self.counts[mark.status] += 1
        verb, *rest = argv
        self.begin([verb, "--wait", "0", "--ttl", ttl, "--timeout", f"{SUBMIT_SECONDS}s", *rest],
                   ended)

    def pump(self):
        running = []
        for call in self.calls:
            if call.process.poll() is not None:
                call.finish()
            elif time.monotonic() - call.began > SUBMIT_SECONDS * 3:
                call.process.kill()
                call.process.wait()
                raise AssertionError(f"hangs: {' '.join(call.argv)}")
            else:
                running.append(call)
        self.calls = running

    def drain(self, seconds=SUBMIT_SECONDS * 3 + 5):
        def none_left():
            self.pump()
            return not self.calls
        wait_for(none_left, seconds, lambda: f"{len(self.calls)} command lines still run", every=0.05)

    def settle(self):
        """Sends again what is in doubt; afterwards nothing is."""
        self.drain()
        sent = self.stack.holdfast("pending", "--send", expect=None).json()
        self.counts["settled"] += sum(row["state"] == "accepted" for row in sent)
        left = self.stack.holdfast("pending").json()
        assert not left, f"still in doubt after pending --send: {left}"

    def stop(self):
        for call in self.calls:
            call.process.kill()
            call.process.wait()
        self.calls = []
