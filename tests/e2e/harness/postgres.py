"""Postgres: a private PostgreSQL on a Unix socket, which may be killed in any way. Not root's: it refuses that.

RemotePostgres: one as operators have it: over TCP, with TLS and a password for everybody who comes that way.
"""
import contextlib
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

    def settings(self):
        return {"listen_addresses": "", "unix_socket_directories": self.home, "shared_buffers": "32MB"}

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
                        [self.bin / "postgres", "-D", self.home / "data",
                         *(word for name, value in self.settings().items() for word in ("-c", f"{name}={value}"))],
                        cwd="/", stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                        preexec_fn=procs.end_with_parent, **self.as_user)
            ready = subprocess.run([self.bin / "pg_isready", "-q", "-d", self.url], check=False)
            if ready.returncode == 0:
                return self
            time.sleep(0.05)
        raise AssertionError(f"PostgreSQL does not start\n{self.log.read_text()[-4000:]}")

    def end(self, sig):
        """SIGQUIT: as `pg_ctl stop -m immediate`. SIGKILL: its children notice by themselves."""
        self.postmaster.send_signal(sig)
        self.postmaster.wait(START_SECONDS)

    @contextlib.contextmanager
    def frozen(self):
        """All of its processes stand still, their sockets stay."""
        stopped = [procs.Process(self.postmaster.pid), *procs.descendants(self.postmaster.pid)]
        try:
            for process in stopped:
                process.kill(signal.SIGSTOP)
            yield
        finally:
            for process in reversed(stopped):
                process.kill(signal.SIGCONT)

    def stop(self):
        if self.postmaster is not None and self.postmaster.poll() is None:
            self.end(signal.SIGINT)
        shutil.rmtree(self.dir, ignore_errors=True)


class RemotePostgres(Postgres):
    """Its certificate is `name`'s, which is `address`; the role `holdfast` has `password`. say() goes by the socket still."""
    name, address, password = "db.test", "127.0.0.77", "pass word:\\'"

    def __init__(self, port):
        super().__init__()
        self.port = port
        self.pki = self.dir / "pki"
        self.pki.mkdir()
        self.ca = self._authority("ca")
        self._certificate("server", "ca", self.name)
        for file in ("server.crt", "server.key"):
            shutil.copy(self.pki / file, self.home / file)
            if self.as_user:
                shutil.chown(self.home / file, "nobody", "nogroup")
        (self.home / "server.key").chmod(0o600)
        (self.home / "data/pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.0/8 scram-sha-256\n")
        escaped = self.password.replace("\\", "\\\\").replace(":", "\\:")
        self.passfile = self._passfile("pgpass", escaped)

    def _passfile(self, name, password):
        file = self.dir / name
        file.write_text(f"{self.name}:{self.port}:postgres:holdfast:{password}\n")
        file.chmod(0o600)
        return file

    def _openssl(self, *words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, cwd=self.pki, stdin=subprocess.DEVNULL)

    def _authority(self, name):
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                      f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt")
        return self.pki / f"{name}.crt"

    def _certificate(self, file, authority, name):
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", f"{file}.key", "-out", f"{file}.csr")
        (self.pki / "san").write_text(f"subjectAltName=DNS:{name}\n")
        self._openssl("x509", "-req", "-in", f"{file}.csr", "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key",
                      "-CAcreateserial", "-days", "2", "-extfile", "san", "-out", f"{file}.crt")

    def settings(self):
        return super().settings() | {"listen_addresses": self.address, "port": self.port, "ssl": "on",
                                     "ssl_cert_file": self.home / "server.crt", "ssl_key_file": self.home / "server.key",
                                     "password_encryption": "scram-sha-256"}

    @property
    def url(self):
        """For the operator at the socket."""
        return f"postgresql://holdfast@/postgres?host={self.home}&port={self.port}"

    def start(self):
        super().start()
        quoted = self.password.replace("'", "''")
        self.say(f"ALTER ROLE holdfast PASSWORD '{quoted}'")
        return self

    def remote_url(self, host=None, ca=None, passfile=None):
        return (f"postgresql://holdfast@{host or self.name}:{self.port}/postgres?hostaddr={self.address}&sslmode=verify-full"
                f"&sslrootcert={ca or self.ca}&passfile={passfile or self.passfile}")

    def other_authority(self):
        return self._authority("other")

    def wrong_passfile(self):
        return self._passfile("wrong", "wrong")
