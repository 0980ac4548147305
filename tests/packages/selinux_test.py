#!/usr/bin/env python3
"""The agent's and the backend's package where SELinux enforces: a machine of its own (qemu) with Debian's kernel and Debian's
reference policy, labelled before it starts, enforcing from the start. What the machine says on its console is looked at here.
"""
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from system import base_tree
from system_case import AGENT, BACKEND, CACHE, FLEET, HOLDFAST, NEXT, PACKAGES, VERSION

SUITE = "bookworm-selinux"
START_SECONDS = 3600  # of a start with all that is done in it, at most; the processor is emulated, and has other work
UNIT = """[Unit]
After=auditd.service dbus.service systemd-logind.service
[Service]
Type=oneshot
ExecStart=/bin/sh /root/try.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
"""
# Eight processes of 60 MB each, and where the kernel bounds them.
HOGS = "for i in 1 2 3 4 5 6 7 8; do (head -c 60M /dev/zero | tail -c 60M >/dev/null) & done; wait"
GROUPS = "/sys/fs/cgroup/system.slice/holdfast-agent.service"
# The dump, range by range as LiME has them: magic and version, first and last address.
DUMP = "/var/lib/holdfast/memory.lime"  # where the tool's user may write
RANGES = (f"at=0; size=$(stat -c %s {DUMP}); while [ $at -lt $size ]; do "
          f"set -- $(od -An -v -j $at -N 24 -tx8 {DUMP}); [ $1 = 000000014c694d45 ] || break; "
          "echo range $2 $3; at=$((at + 32 + 0x$3 - 0x$2 + 1)); done; [ $at -eq $size ]")
# Every step prints STEP, what it says, and its status.
TRY = f"""PATH=/usr/sbin:/usr/bin:/sbin:/bin; export PATH DEBIAN_FRONTEND=noninteractive HOME=/root
step() {{ name=$1; shift; echo "STEP $name"; (eval "$*") </dev/null 2>&1; echo "STATUS $name $?"; }}
until_ok() {{ n=0; until eval "$1" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 300 ] || return 1; sleep 0.2; done; }}
online="{HOLDFAST} agents -o json | grep -q '\\"online\\":true'"
step mode 'getenforce; id -Z'
step backend 'dpkg -i /root/{BACKEND} && {HOLDFAST} init --server wss://localhost:8443 && until_ok "ls {FLEET}/server/state/run/ready"'
step bundle 'umask 077; {HOLDFAST} enrol token --uses 2 > /root/bundle'
step agent 'dpkg -i /root/{AGENT.format(VERSION)} && holdfast-agent enrol --bundle /root/bundle'
step online 'until_ok "$online"'
step domains 'ps -eo label:60,args | grep [h]oldfast-; ls -dZ /usr/sbin/holdfast-agent /var/lib/holdfast-agent'
step query '{HOLDFAST} query all "SELECT 1 AS one" -o json --yes'
step exec '{HOLDFAST} exec all --yes -- sh -c "id -Z; cat /etc/shadow | wc -l"'
step put 'echo content > /var/lib/holdfast/file && chown holdfast /var/lib/holdfast/file && {HOLDFAST} put --yes all /var/lib/holdfast/file /etc/put-by-holdfast && cat /etc/put-by-holdfast'
step isolate '{HOLDFAST} isolate all --for 10m --yes && {HOLDFAST} release all --yes'
step groups '{HOLDFAST} exec all --yes --max-memory 128MiB -- sh -c "{HOGS}"; {HOLDFAST} exec all --yes -- sh -c "cat /proc/self/cgroup; cat {GROUPS}/command-*/memory.max {GROUPS}/cgroup.procs"'
canary=$(head -c 16 /dev/urandom | od -An -tx8 | tr -d ' ')
step memory '{HOLDFAST} memory endpoint --yes --wait 20m --max-time 20m --as {DUMP} && LC_ALL=C grep -a -c $canary {DUMP} && grep "System RAM" /proc/iomem && {{ {RANGES}; }}; status=$?; rm -f {DUMP}; exit $status'
step doctor 'holdfast-agent doctor'
step restart 'systemctl restart holdfast-agent && sleep 2 && until_ok "$online"'
step clock 'was=$(date +%s); date -u -s @86400 && systemctl restart holdfast-agent && until_ok "holdfast-agent doctor | grep not.valid.yet"; holdfast-agent doctor; date -u -s @$((was + 60)) && (until_ok "$online" || until_ok "$online")'
step upgrade 'dpkg -i /root/{AGENT.format(NEXT)} && sleep 2 && until_ok "$online"'
step failed 'systemctl list-units --failed --no-legend --plain "holdfast*"'
step purge 'dpkg --purge holdfast-agent && ! ls /var/lib/holdfast-agent /usr/sbin/holdfast-agent'
step denied 'ausearch -m AVC,USER_AVC,SELINUX_ERR --interpret 2>/dev/null | grep "type=AVC.*holdfast"; true'
echo ALL-DONE
sync; systemctl --no-block poweroff
"""


def machine(tree, image, log):
    """A start of the machine, until it ends by itself."""
    (kernel,) = tree.glob("boot/vmlinuz-*")
    (initrd,) = tree.glob("boot/initrd.img-*")
    # TCG: what kind of machine this is makes no difference, and a KVM inside another one does not always start.
    accelerated = ["-accel", "tcg", "-cpu", "max"]
    words = "root=/dev/vda rw console=ttyS0 quiet security=selinux selinux=1 enforcing=1 systemd.show_status=0"
    with log.open("wb") as console:
        subprocess.run(["qemu-system-x86_64", *accelerated, "-m", "1536", "-smp", "2", "-display", "none", "-no-reboot", "-nic", "none",
                        "-kernel", kernel, "-initrd", initrd, "-append", words, "-serial", "stdio", "-monitor", "none",
                        "-drive", f"file={image},if=virtio,format=raw,cache=unsafe"],
                       stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, check=True,
                       timeout=START_SECONDS)
    return log.read_bytes().decode(errors="replace").replace("\r\n", "\n")


def make_image(tree, image):
    """The tree with what is tried in it, in a file system."""
    with tempfile.TemporaryDirectory(prefix="holdfast-selinux-") as place:
        steps = [
            f"mount -t tmpfs layer {place}", f"mkdir {place}/upper {place}/work {place}/root",
            f"mount -t overlay overlay -o lowerdir={tree},upperdir={place}/upper,workdir={place}/work {place}/root",
            f"cp {' '.join(str(PACKAGES / name) for name in (AGENT.format(VERSION), AGENT.format(NEXT), BACKEND))} {place}/root/root/",
            f"printf '127.0.0.1 localhost endpoint\\n' > {place}/root/etc/hosts", f"echo endpoint > {place}/root/etc/hostname",
            f"cp {image.parent}/try.sh {place}/root/root/", f"cp {image.parent}/try.service {place}/root/etc/systemd/system/",
            f"mkdir -p {place}/root/etc/systemd/system/multi-user.target.wants",
            f"ln -s /etc/systemd/system/try.service {place}/root/etc/systemd/system/multi-user.target.wants/",
            f"ln -s /dev/null {place}/root/etc/systemd/system/serial-getty@ttyS0.service",  # the console is ours
            f"rm -f {place}/root/etc/systemd/system/*/selinux-autorelabel* {place}/root/.autorelabel",
            f"truncate -s 8G {image}", f"mkfs.ext4 -q -d {place}/root {image}",
            f"umount {place}/root", f"mount -o loop {image} {place}/root", f"mount -t proc proc {place}/root/proc",
            f"chroot {place}/root setfiles -F -e /proc /etc/selinux/default/contexts/files/file_contexts /",
            f"umount {place}/root/proc {place}/root"]
        subprocess.run(["unshare", "--mount", "sh", "-ec", "\n".join(steps)], check=True)


class SelinuxTest(unittest.TestCase):
    def test_it_installs_works_and_goes_where_selinux_enforces(self):
        for program in ("qemu-system-x86_64", "mkfs.ext4"):
            self.assertIsNotNone(shutil.which(program), f"{program} is missing")
        tree = base_tree(CACHE, SUITE)
        work = PACKAGES / "selinux"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        (work / "try.sh").write_text(TRY)
        (work / "try.service").write_text(UNIT)
        image = work / "disk.img"
        make_image(tree, image)
        said = machine(tree, image, work / "console.log")
        image.unlink()
        self.assertIn("ALL-DONE", said)
        steps = {m[1]: (m[2], int(m[3])) for m in re.finditer(r"(?ms)STEP (\w+)\n(.*?)^STATUS \1 (\d+)$", said)}
        self.assertEqual({name: status for name, (_, status) in steps.items() if status}, {}, said)
        self.assertIn("Enforcing", steps["mode"][0])
        self.assertIn('"one":1', steps["query"][0].replace(" ", ""))
        self.assertIn("content", steps["put"][0])
        ram = [tuple(int(at, 16) for at in pair) for pair in re.findall(r"(?m)^([0-9a-f]+)-([0-9a-f]+) : System RAM", steps["memory"][0])]
        ranges = [tuple(int(at, 16) for at in pair) for pair in re.findall(r"(?m)^range ([0-9a-f]+) ([0-9a-f]+)$", steps["memory"][0])]
        self.assertGreater(sum(last - first + 1 for first, last in ranges), 1 << 30)
        self.assertEqual(ranges, ram)
        self.assertEqual(steps["failed"][0], "")
        self.assertIn("1970", steps["clock"][0])
        self.assertIn("not valid yet", steps["clock"][0])
        self.assertIn("MEMORY_LIMIT", steps["groups"][0])
        self.assertIn("holdfast-agent.service/command-", steps["groups"][0])
        self.assertIn(str((512 + 32) << 20), steps["groups"][0].split())
        # The backend has no new rights (NoNewPrivileges), so its Redis does not get a domain of its own: it runs in the backend's.
        denied = [line for line in steps["denied"][0].splitlines() if "type=AVC" in line and "nnp_transition" not in line]
        self.assertEqual(denied, [])
        domains = sorted(set(re.findall(r":(\w+_t):.*?(holdfast\S*)", steps["domains"][0])))
        print(f"  SELinux enforces; ran as {domains}", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
