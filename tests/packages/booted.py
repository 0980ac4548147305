"""Booted: a System whose first process is its own systemd, as after a start of the machine; SysvBooted: its own sysvinit.

systemd wants the tree of control groups for itself: it gets a branch of this machine's, as a namespace. Needs root and a cgroup2
file system, with or without controllers.
"""
import itertools
import os
import pathlib
import time

from system import System

NUMBERS = itertools.count(1)


def control_groups():
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(place)
    raise SystemExit("no cgroup2 is mounted: systemd cannot be started here")


class Booted(System):
    NAMESPACES = (*System.NAMESPACES, "cgroup")
    init, name_of_init = "/lib/systemd/systemd --system", "systemd"
    # "degraded": what failed is for a test to judge.
    ready = "systemctl is-system-running | grep -E '^(running|degraded)$'"

    def __init__(self, base, name="endpoint"):
        self.group = control_groups() / f"holdfast-{os.getpid()}-{next(NUMBERS)}"
        self.group.mkdir()
        super().__init__(base, name)
        self.until(self.ready, 60, f"{self.name_of_init} does not come up")

    def prefix(self):
        return ["sh", "-c", f'echo $$ > {self.group}/cgroup.procs && exec "$@"', "sh"]

    def last_steps(self):
        return [
            f"mount -t sysfs -o ro sysfs {self.root}/sys", f"mount -t cgroup2 cgroup2 {self.root}/sys/fs/cgroup",
            f"mount -t tmpfs tmp {self.root}/tmp", f"mkdir {self.root}/dev/pts",
            f"mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts {self.root}/dev/pts",
            f"ln -s pts/ptmx {self.root}/dev/ptmx",
            # A root of its own: what a unit may not see is hidden by mounts, which a chroot would undo.
            f"cd {self.root}", "pivot_root . mnt", "cd /", "umount -l /mnt", "echo up",
            f"exec env -i container=holdfast PATH=/usr/sbin:/usr/bin:/sbin:/bin {self.init} "
            "</dev/null >/dev/null 2>&1"]

    def is_inside(self):
        return pathlib.Path(f"/proc/{self.inside}/comm").read_text() == f"{self.name_of_init}\n"

    def close(self):
        super().close()
        end = time.monotonic() + 60
        for folder in (*sorted((p for p in self.group.rglob("*") if p.is_dir()), reverse=True), self.group):
            while True:
                try:
                    folder.rmdir()
                    break
                except OSError:  # a process that was killed has not ended yet
                    assert time.monotonic() < end, f"{folder} does not become empty"
                    time.sleep(0.05)


class SysvBooted(Booted):
    init, name_of_init = "/sbin/init", "init"
    ready = "runlevel | grep -E ' 2$'"
