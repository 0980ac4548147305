#!/usr/bin/env python3
"""The agent of another architecture, emulated by qemu-user, against the backend of this one.

    emulated.py ARCH AGENT BIN [TEST ...]       ARCH: arm64, armhf, armel; TEST: scripts of tests/e2e, default all of TESTS

The kernel is asked to start the foreign program through qemu in a user namespace of this run alone (binfmt_misc has one
each, from Linux 6.7 on): nothing of the machine's settings is touched. Needs root and qemu-user-static.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What an endpoint does. Left out: processes_test (qemu-user does not pass PR_SET_CHILD_SUBREAPER on), doctor_test (its
# answers that come and close at once are lost by an emulated program), and what is about the backend.
TESTS = ("verbs", "queue", "lifecycle", "trust", "proxy")
FORMATS = {  # ELF: class, byte order; machine
    "arm64": (r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00", "qemu-aarch64-static"),
    "armhf": (r"\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00", "qemu-arm-static"),
    "armel": (r"\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00", "qemu-arm-static"),
}
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
# A Pi Zero's, the oldest that the armel package is for.
PROCESSOR = {"armel": "arm1176"}


def inside(arch, place, tests):
    sys.stdin.readline()  # the namespace has its users now
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    formats = place / "formats"
    formats.mkdir()
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
    subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", formats], check=True)
    magic, qemu = FORMATS[arch]
    (formats / "register").write_text(f":foreign:M::{magic}:{MASK}:/usr/bin/{qemu}:OCF")
    failed = []
    for test in tests:
        done = subprocess.run([sys.executable, ROOT / f"tests/e2e/{test}_test.py"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        last = [line for line in done.stdout.splitlines() if line.strip()][-1]
        ran = next((line for line in done.stdout.splitlines() if line.startswith("Ran ")), "")
        print(f"  {arch} {test}: {ran}, {last}", flush=True)
        if done.returncode != 0:
            failed.append(test)
            print(done.stdout[-6000:], flush=True)
    return 1 if failed else 0


def main():
    if sys.argv[1] == "--inside":
        return inside(sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4:])
    arch, agent, binaries, *tests = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="holdfast-foreign-") as name:
        place = pathlib.Path(name)
        place.chmod(0o755)
        for program in pathlib.Path(binaries).resolve().iterdir():
            (place / program.name).symlink_to(program)
        (place / "holdfast-agent").unlink()
        (place / "holdfast-agent").symlink_to(pathlib.Path(agent).resolve())
        environment = os.environ | {"HOLDFAST_BIN": name}
        if arch in PROCESSOR:
            environment["QEMU_CPU"] = PROCESSOR[arch]
        child = subprocess.Popen(
            ["unshare", "--user", "--mount", "--pid", "--fork", "--kill-child", sys.executable, __file__, "--inside",
             arch, name, *(tests or TESTS)], stdin=subprocess.PIPE, env=environment, text=True)
        try:
            below = pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children")
            while not below.read_text().split():
                pass
            leader = below.read_text().split()[0]
            for users in ("uid_map", "gid_map"):
                pathlib.Path(f"/proc/{leader}/{users}").write_text("0 0 65536")
            child.stdin.write("go\n")
            child.stdin.close()
            return child.wait()
        finally:
            child.kill()
            child.wait()


if __name__ == "__main__":
    sys.exit(main())
