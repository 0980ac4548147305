"""A fresh system tree to install packages in: debootstrap's, with a copy-on-write layer above it, in namespaces of its own.

Nothing that runs in it reaches the machine: it has its own processes, mounts, host name and network (loopback only). Needs root.
"""
import hashlib
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import loopback  # noqa: E402

# What apt would bring along with the packages, and what they are tried with.
TOOLS = "redis-server,procps,iproute2,passwd,ca-certificates"
BOOKWORM = f"libev4,libprotobuf-lite32,libsqlite3-0,libssl3,libyaml-0-2,libstdc++6,libedit2,libpcap0.8,libpq5,{TOOLS}"
TRIXIE = f"libev4t64,libprotobuf-lite32t64,libsqlite3-0,libssl3t64,libyaml-0-2,libstdc++6,libedit2,libpcap0.8t64,libpq5,{TOOLS}"
INIT = "systemd,systemd-sysv,dbus,cron,logrotate"
SUITES = {
    "bookworm": f"{BOOKWORM},nginx,libnginx-mod-stream,haproxy,rpm,logrotate",
    "trixie": TRIXIE,
    "bookworm-systemd": f"{INIT},{BOOKWORM}",
    "trixie-systemd": f"{INIT},{TRIXIE}",
    "bookworm-openrc": f"openrc,{BOOKWORM}",
    "bookworm-sysvinit": f"sysvinit-core,initscripts,insserv,startpar,{BOOKWORM}",
    # dnf, to which nothing is installed that no .rpm has brought, as on a system of its kind.
    "bookworm-dnf": f"dnf,rpm,createrepo-c,{BOOKWORM}",
    "bookworm-mass": f"ansible-core,python3-apt,cloud-init,python3-cffi-backend,{BOOKWORM}",
    # Booted with a kernel of its own (selinux_test.py).
    "bookworm-selinux": f"linux-image-cloud-amd64,initramfs-tools,selinux-basics,selinux-policy-default,auditd,kmod,udev,{INIT},{BOOKWORM}",
    # As bare as a container's: what the README asks for, and nothing else.
    "bookworm-bare": "git,ca-certificates",
    "trixie-bare": "git,ca-certificates",
}


def base_tree(cache, suite="bookworm"):
    """Made once for each list of packages; debootstrap takes about a minute. It has its name when it is whole."""
    include = SUITES[suite]
    tree = cache / f"{suite}-{hashlib.sha256(include.encode()).hexdigest()[:8]}"
    begun = cache / f"{suite}.begun"
    for other in cache.glob(f"{suite}-????????"):
        if other != tree:
            shutil.rmtree(other)  # of another list
    if not tree.exists():
        shutil.rmtree(begun, ignore_errors=True)  # of a run that was ended in its middle
        print(f"  debootstrap {suite} (a minute, once) ...", flush=True)
        # In mounts of its own: the /proc that it mounts there goes with it, however it ends.
        done = subprocess.run(["unshare", "--mount", "debootstrap", "--variant=minbase", f"--include={include}",
                               suite.split("-")[0], begun], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(begun, ignore_errors=True)
            raise SystemExit(f"debootstrap {suite} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        begun.rename(tree)
    return tree


class System:
    NAMESPACES = ("mount", "pid", "net", "uts", "ipc")

    def __init__(self, base, name="endpoint"):
        self.place = tempfile.TemporaryDirectory(prefix="holdfast-system-")
        here = pathlib.Path(self.place.name)
        self.root = here / "root"
        for part in ("root", "layer"):
            (here / part).mkdir()
        steps = [
            f"mount -t tmpfs layer {here}/layer", f"mkdir {here}/layer/upper {here}/layer/work",
            f"mount -t overlay overlay -o lowerdir={base},upperdir={here}/layer/upper,workdir={here}/layer/work {self.root}",
            f"mount -t proc proc {self.root}/proc", f"mount -t tmpfs run {self.root}/run",
            f"mount -t tmpfs dev {self.root}/dev", f"mkdir {self.root}/dev/shm",
            *(f"touch {self.root}/dev/{d} && mount --bind /dev/{d} {self.root}/dev/{d}"
              for d in ("null", "zero", "urandom", "random", "tty")),
            f"ln -s /proc/self/fd {self.root}/dev/fd", f"hostname {name}",
            f"python3 -c {shlex.quote(loopback.UP)}",
            f"printf '127.0.0.1 localhost {name}\\n' > {self.root}/etc/hosts",
            *self.last_steps(),
        ]
        self.holder = subprocess.Popen(
            [*self.prefix(), "unshare", *(f"--{n}" for n in self.NAMESPACES), "--fork", "--kill-child", "sh", "-ec",
             "\n".join(steps)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        said = self.holder.stdout.readline()
        if said != "up\n":
            raise SystemExit(f"the system tree did not come up: {said}{self.holder.stdout.read()}")
        children = pathlib.Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        self.inside = int(children.read_text().split()[0])
        # Not before it has changed its root: a path through /proc would lead into this machine.
        while not self.is_inside():
            time.sleep(0.01)

    def prefix(self):
        """Words before the namespaces are made."""
        return []

    def last_steps(self):
        return [
            # There is no init in it; without this word invoke-rc.d starts nothing.
            f"printf '#!/bin/sh\\nexit 0\\n' > {self.root}/usr/sbin/policy-rc.d",
            f"chmod 755 {self.root}/usr/sbin/policy-rc.d",
            # A shell that waits also takes note of the end of whatever was left to it, as an init does.
            "echo up", f"exec chroot {self.root} sh -c 'sleep 7200 & wait $!'"]

    def is_inside(self):
        return os.readlink(f"/proc/{self.inside}/root") == str(self.root)

    def close(self):
        os.killpg(self.holder.pid, signal.SIGKILL)
        self.holder.wait(20)
        self.holder.stdout.close()
        time.sleep(0.1)
        self.place.cleanup()

    def path(self, path):
        """Of a file inside, as this process reaches it."""
        return pathlib.Path(f"/proc/{self.inside}/root/{path.lstrip('/')}")

    def words(self, command):
        """What runs a shell command inside."""
        return ["nsenter", "--target", str(self.inside), *(f"--{n}" for n in self.NAMESPACES), "--root", "--wd",
                "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "DEBIAN_FRONTEND=noninteractive",
                "sh", "-c", command]

    def run(self, command, expect=0, seconds=120):
        """A shell command inside; its output. expect=None: (status, output)."""
        done = subprocess.run(self.words(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False)
        if expect is None:
            return done.returncode, done.stdout
        assert done.returncode == expect, f"{command}: status {done.returncode}, not {expect}\n{done.stdout}"
        return done.stdout

    def limit(self, mib):
        """Leaves so much room in its disk; None: as much as there was."""
        layer = f"{self.place.name}/layer"
        def mount(options):
            subprocess.run(["nsenter", "--target", str(self.inside), "--mount", "mount", "-o", f"remount,{options}", layer],
                           check=True)
        if mib is None:
            return mount("size=50%")
        used = subprocess.run(["nsenter", "--target", str(self.inside), "--mount", "df", "--output=used", "-B1K", layer],
                              capture_output=True, text=True, check=True).stdout.split()[-1]
        return mount(f"size={int(used) + mib * 1024}k")

    def begin(self, command):
        """The same, in the background, until close()."""
        return subprocess.Popen(self.words(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def give(self, source, target):
        shutil.copyfile(source, self.path(target))

    def until(self, command, seconds=30, why=""):
        """Repeats it until it succeeds; its output."""
        end = time.monotonic() + seconds
        while True:
            status, said = self.run(command, expect=None)
            if status == 0:
                return said
            assert time.monotonic() < end, f"not within {seconds} s: {command}\n{said}\n{why}"
            time.sleep(0.2)
