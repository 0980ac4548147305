"""What runs, as /proc tells it: who is whose child, how much memory, who is gone.

A process is (pid, start time): a pid alone may be somebody else's by the time it is looked at.
"""
import contextlib
import ctypes
import os
import pathlib
import signal
import time


def _stat(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2:].split()


class Process:
    def __init__(self, pid):
        self.pid = pid
        fields = _stat(pid)
        self.parent, self.started = int(fields[1]), int(fields[19])
        raw = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        self.argv = [a.decode(errors="replace") for a in raw.split(b"\0")[:-1]]

    def alive(self):
        try:
            fields = _stat(self.pid)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return int(fields[19]) == self.started and fields[0] not in "ZX"

    def state(self):
        """One letter: R, S, D, T (stopped), Z, ... (proc(5))."""
        return _stat(self.pid)[0]

    def kill(self, sig=signal.SIGKILL):
        if self.alive():
            with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
                os.kill(self.pid, sig)

    def memory(self, key="Pss"):
        """Bytes, from smaps_rollup: Pss, Private_Dirty, Private_Clean, Rss, ..."""
        for line in pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        raise KeyError(key)

    def peak_rss(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise KeyError("VmHWM")

    def switches(self):
        """How often it was put on a CPU of its own will: one per wake-up."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                return int(line.split()[1])
        raise KeyError("voluntary_ctxt_switches")

    def cpu_seconds(self):
        fields = _stat(self.pid)
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __repr__(self):
        return f"{self.pid} ({' '.join(self.argv)[:100]})"


def all_processes():
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found.append(Process(int(entry)))
            except (FileNotFoundError, ProcessLookupError, ValueError):
                pass  # gone meanwhile
    return found


def descendants(pid, of=None):
    """Below pid, not pid itself."""
    everyone = of if of is not None else all_processes()
    below, new = [], [pid]
    while new:
        new_processes = [p for p in everyone if p.parent in new]
        below += new_processes
        new = [p.pid for p in new_processes]
    return below


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1  # prctl(2)


def signal_disposition(pid, number):
    """Of a process: "blocked", "ignored", "caught" or "default"."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    for name, words in (("SigBlk", "blocked"), ("SigIgn", "ignored"), ("SigCgt", "caught")):
        mask = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith(name))
        if mask >> (number - 1) & 1:
            return words
    return "default"


def end_with_parent():
    """In a new child: SIGTERM when the test itself dies, however it dies."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_for(what, seconds, why, every=0.05):
    """Polls until `what()` is true and returns it; fails with `why` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {why() if callable(why) else why}")
        time.sleep(every)
