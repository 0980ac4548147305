"""Postgres: a private PostgreSQL on a Unix socket, which may be killed in any way. Not root's: it refuses that."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from . import procs

START_SECONDS = 30


def programs():
    """The newest that is installed."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda p: int(p.parts[-3]))
    if not found:
        raise RuntimeError("no PostgreSQL server here: apt-get install postgresql (./dev does it)")
    return found[-1].parent


class Postgres:
    def __init__(self):
        self.bin = programs()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-pg-"))
        self.dir.chmod(0o711)
        self.home = self.dir / "pg"
        self.home.mkdir()
        self.as_user = {}
        if os.geteuid() == 0:
            shutil.chown(self.home, "nobody", "nogroup")
            self.as_user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        self.log = self.dir / "log"
        self.postmaster = None
        self.run("initdb", "-N", "-A", "trust", "-U", "holdfast", "-E", "UTF8", "--no-locale", "-D", self.home / "data")

    @property
    def url(self):
        return f"postgresql://holdfast@/postgres?host={self.home}"

    def run(self, program, *argv):
        subprocess.run([self.bin / program, *map(str, argv)], check=True, cwd="/", stdin=subprocess.DEVNULL,
                       capture_output=True, **self.as_user)

    def say(self, sql):
        done = subprocess.run([self.bin / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", self.url, "-c", sql], check=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=START_SECONDS)
        return done.stdout.decode().strip()

    def start(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            # The last one's children may still hold its memory: then this one ends at once.
            if self.postmaster is None or self.postmaster.poll() is not None:
                with open(self.log, "ab") as log:
                    self.postmaster = subprocess.Popen(
                        [self.bin / "postgres", "-D", self.home / "data", "-c", "listen_addresses=", "-c",
                         f"unix_socket_directories={self.home}", "-c", "shared_buffers=32MB"],
                        cwd="/", stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                        preexec_fn=procs.end_with_parent, **self.as_user)
            ready = subprocess.run([self.bin / "pg_isready", "-q", "-h", self.home], check=False)
            if ready.returncode == 0:
                return self
            time.sleep(0.05)
        raise AssertionError(f"PostgreSQL does not start\n{self.log.read_text()[-4000:]}")

    def end(self, sig):
        """SIGQUIT: as `pg_ctl stop -m immediate`. SIGKILL: its children notice by themselves."""
        self.postmaster.send_signal(sig)
        self.postmaster.wait(START_SECONDS)

    def stop(self):
        if self.postmaster is not None and self.postmaster.poll() is None:
            self.end(signal.SIGINT)
        shutil.rmtree(self.dir, ignore_errors=True)
