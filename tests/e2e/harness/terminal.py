"""A person at a terminal: a program under a pty, what it shows, and a screen of it.

    Terminal(argv, env) -> type(...) -> wait_for(text) -> close()

Limits:    every wait is bounded, and says what was on the screen.
Ownership: owns the program and the pty; close() ends both.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

SECONDS = 20


class Screen:
    """What a program that draws left standing: cursor moves, erasing and line ends; colours pass by."""

    SEQUENCE = re.compile(rb"\x1b\[([?>=]?)([0-9;]*)([ -/]*[@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-9A-B]|\x1b[=>78HMEDc]")

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.row = self.column = 0
        self.cells = [[" "] * columns for _ in range(rows)]

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.cells)

    def feed(self, data):
        at = 0
        while at < len(data):
            found = self.SEQUENCE.match(data, at)
            if found:
                at = found.end()
                if found.group(3) and not found.group(1):
                    self.control(found.group(3), found.group(2))
                continue
            self.put(data[at:at + 1])
            at += 1
        return self

    def control(self, kind, arguments):
        numbers = [int(n or 0) for n in arguments.split(b";")]
        first = max(1, numbers[0])
        if kind in (b"H", b"f"):
            self.row = min(first, self.rows) - 1
            self.column = min(max(1, numbers[1] if len(numbers) > 1 else 1), self.columns) - 1
        elif kind == b"A":
            self.row = max(0, self.row - first)
        elif kind == b"B":
            self.row = min(self.rows - 1, self.row + first)
        elif kind == b"C":
            self.column = min(self.columns - 1, self.column + first)
        elif kind == b"D":
            self.column = max(0, self.column - first)
        elif kind == b"K":
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif kind == b"J":
            lines = range(self.rows) if numbers[0] == 2 else range(self.row + 1, self.rows)
            for line in lines:
                self.cells[line] = [" "] * self.columns
            if numbers[0] != 2:
                self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)

    def put(self, byte):
        if byte == b"\r":
            self.column = 0
        elif byte == b"\n":
            if self.row + 1 < self.rows:
                self.row += 1
            else:
                self.cells = self.cells[1:] + [[" "] * self.columns]
        elif byte == b"\b":
            self.column = max(0, self.column - 1)
        elif byte >= b" " and self.column < self.columns:
            self.cells[self.row][self.column] = byte.decode("latin-1")
            self.column += 1


class Terminal:
    def __init__(self, argv, env, rows=24, columns=80):
        self.shown = bytearray()
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns, quiet=True)
        self.before = termios.tcgetattr(self.slave)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)

        self.process = subprocess.Popen([str(word) for word in argv], env=env, stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, preexec_fn=own_terminal)

    def resize(self, rows, columns, quiet=False):
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if not quiet:
            self.process.send_signal(signal.SIGWINCH)

    def type(self, keys):
        keys = keys.encode() if isinstance(keys, str) else keys
        while keys:
            keys = keys[os.write(self.master, keys[:512]):]

    def read(self, seconds):
        """What comes within so long; at once if something is there."""
        if select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return b""
            self.shown += data
            return data
        return b""

    def wait_for(self, text, seconds=SECONDS, since=0):
        """Until it was shown, behind `since`; where it ends."""
        text = text.encode() if isinstance(text, str) else text
        until = time.monotonic() + seconds
        while text not in self.shown[since:]:
            left = until - time.monotonic()
            if left <= 0:
                raise AssertionError(f"{text!r} was not shown; the last was {bytes(self.shown[-2000:])!r}")
            self.read(min(left, 0.2))
        return self.shown.index(text, since) + len(text)

    def run(self, line, prompt="$ ", seconds=SECONDS):
        """A line for a shell whose prompt is known; what it showed until the next prompt."""
        since = len(self.shown)
        self.type(line + "\r")
        end = self.wait_for(prompt, seconds, since + len(line))
        return self.shown[since:end].decode(errors="replace")

    def screen(self, since=0):
        return Screen(self.rows, self.columns).feed(bytes(self.shown[since:])).text()

    def settings(self):
        return termios.tcgetattr(self.slave)

    def wait(self, seconds=SECONDS):
        """Its exit status; reads on meanwhile. It leaves the terminal as one that others can read from."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > until:
                raise AssertionError(f"it did not end; the last was {bytes(self.shown[-2000:])!r}")
            self.read(0.1)
        while self.read(0.1):
            pass
        flags = fcntl.fcntl(self.slave, fcntl.F_GETFL)
        assert not flags & os.O_NONBLOCK, "it left the terminal non-blocking"
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)
