"""Namespaces of our own: whatever is mounted or configured there ends with the last process in it.

Nothing is left on the machine, also when the laboratory itself is killed: no mount, no loop device
(they are attached with autoclear), no network namespace (none gets a name).
"""
import ctypes
import os
import pathlib
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000  # sched.h
MS_REC, MS_PRIVATE = 0x4000, 0x40000                # sys/mount.h
_private = False


def need_root(what):
    if os.geteuid() != 0:
        raise AssertionError(f"{what} needs root; a row that cannot run is not passed")


def unshare(flags):
    if LIBC.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def private_mounts():
    """From here on this process's mounts are its own; once."""
    global _private
    if _private:
        return
    need_root("mounting")
    unshare(CLONE_NEWNS)
    if LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise OSError(ctypes.get_errno(), "making mounts private")
    _private = True


def jump_clock():
    """Sets the clock by 1 ns: for those who watch it that is a jump, as the end of a suspend is. OSError
    without the right to."""
    timex = (ctypes.c_long * 64)(0x2100)  # modes = ADJ_SETOFFSET | ADJ_NANO (adjtimex(2))
    timex[10] = 1                         # time.tv_usec
    if LIBC.adjtimex(timex) < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")


def sysctl(name, value):
    """Of this process's network namespace."""
    pathlib.Path("/proc/sys/net", name).write_text(str(value), encoding="ascii")


def run(*words, ok=(0,), given=""):
    done = subprocess.run([str(w) for w in words], input=given.encode(), capture_output=True, timeout=60,
                          check=False)
    if done.returncode not in ok:
        raise AssertionError(f"{' '.join(map(str, words))}: {done.stderr.decode().strip()}")
    return done.stdout.decode()
