"""Disks to break: an ext4 in a file whose power can be cut, and a tmpfs that is soon full.

    LoopDisk  cut(): everything that was not synced is gone (EXT4_IOC_SHUTDOWN without a log flush)
    SmallDisk fill(): no byte left; free(): room again

Both hold a directory that exists already: its content moves along.
"""
import errno
import fcntl
import os
import pathlib
import shutil
import struct
import tempfile

from . import kernel
from .stack import wait_for

EXT4_IOC_SHUTDOWN = 0x8004587D  # linux/fs/ext4/ext4.h: _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2
CANARY = ".canary"


class Disk:
    def __init__(self, where):
        kernel.private_mounts()
        self.where = pathlib.Path(where)
        self.where.mkdir(parents=True, exist_ok=True)
        self.mounted = False

    def _hold(self, *mount):
        """Mounts over `where`, with what was there."""
        with tempfile.TemporaryDirectory(dir=self.where.parent) as aside:
            mode = self.where.stat().st_mode & 0o7777
            names = os.listdir(self.where)
            for name in names:
                shutil.move(self.where / name, aside)
            kernel.run("mount", *mount, self.where)
            self.mounted = True
            self.where.chmod(mode)
            for name in names:
                shutil.move(f"{aside}/{name}", self.where)

    def unmount(self):
        """What held files open must be dead; it may still be dying."""
        if self.mounted:
            wait_for(lambda: self._try_unmount(), 15, lambda: f"{self.where} stays busy", every=0.05)
            self.mounted = False

    def _try_unmount(self):
        try:
            kernel.run("umount", self.where)
            return True
        except AssertionError as why:
            if "busy" in str(why):
                return False
            raise


class LoopDisk(Disk):
    def __init__(self, where, image, megabytes=96):
        super().__init__(where)
        self.image = pathlib.Path(image)
        with open(self.image, "wb") as file:
            file.truncate(megabytes << 20)
        kernel.run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self._hold("-o", "loop,noatime", self.image)

    def cut(self):
        """The power goes: no write reaches the disk any more, and what was only cached is gone."""
        with open(self.where / CANARY, "wb") as canary:  # never synced: it must not survive
            canary.write(b"x" * 4096)
        folder = os.open(self.where, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(folder)

    def power_on(self):
        """Mounts it again; True if the cut took something with it."""
        self.unmount()
        kernel.run("mount", "-o", "loop,noatime", self.image, self.where)
        self.mounted = True
        canary = self.where / CANARY
        lost = not canary.exists() or canary.stat().st_size < 4096 or not any(canary.read_bytes())
        canary.unlink(missing_ok=True)
        return lost


class SmallDisk(Disk):
    def __init__(self, where, megabytes):
        super().__init__(where)
        self._hold("-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs")
        self.ballast = self.where / "ballast"

    def fill(self):
        """Until not one page is left."""
        with open(self.ballast, "ab", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        file.write(b"\1" * size)
                except OSError as why:
                    assert why.errno == errno.ENOSPC, why

    def free(self):
        self.ballast.unlink(missing_ok=True)
