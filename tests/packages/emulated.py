#!/usr/bin/env python3
"""The agent of another architecture, emulated by qemu-user, against the backend of this one.

    emulated.py ARCH AGENT BIN [TEST ...]       ARCH: arm64, armhf, armel; TEST: scripts of tests/e2e, default all of TESTS

The kernel is asked to start the foreign program through qemu in a user namespace of this run alone (binfmt_misc has one
each, from Linux 6.7 on): nothing of the machine's settings is touched. Needs root and qemu-user-static; exit 77 (skipped)
without, or without AGENT.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import loopback  # noqa: E402

# What an endpoint does; the other scripts are about the backend, the tools and the pages.
TESTS = ("verbs", "file_verbs", "process_verbs", "collect", "lifecycle", "trust", "lying_control", "forgery", "kills", "queue",
         "frozen_redis", "processes", "certificates", "doctor", "proxy", "runaway", "full_disk", "limits", "class_limits",
         "evidence_verbs", "pty", "pty_intruder", "shell", "fleet", "poison", "strangers", "update", "update_attacks")
# What cannot be under qemu-user, whatever the agent does, and why.
SUBREAPER = "qemu-user does not pass PR_SET_CHILD_SUBREAPER on, so orphans go to init"
EXECVEAT = "qemu-user has no execveat(2); by its name the user of the link cannot reach a program in the state directory"
PTRACE = "qemu-user has no ptrace(2)"
CONFINED = "the scanner is started by execveat(2) and confined by seccomp(2); qemu-user has neither"
MEASURED = "ends as it should; its size is not found, as the process is the emulator's"
CANNOT = {
    **{("processes", f"test_{name}"): SUBREAPER for name in (
        "a_cancel_ends_every_program", "an_orderly_stop_ends_every_program_and_says_goodbye", "killing_the_keeper_ends_every_program",
        "killing_the_worker_ends_every_program", "killing_warden_ends_every_program",
        "the_end_of_the_program_ends_what_it_left_behind")},
    **{("runaway", f"test_{name}"): SUBREAPER for name in (
        "a_fork_bomb_ends_at_its_limit", "chains_of_processes_that_run_away_end_at_the_limit", "more_processes_than_it_may_have_end_it",
        "processes_that_together_take_more_memory_than_they_may_end_it")},
    **{("runaway", f"test_{name}"): MEASURED for name in ("ten_gib_of_output_end_at_a_limit", "yes_ends_at_a_limit")},
    ("pty", "test_leaves_no_process_behind"): SUBREAPER,
    **{("update", f"test_{name}"): EXECVEAT for name in (
        "1_goes_from_ring_to_ring_and_loses_nothing", "2_a_crashing_build_reaches_one_ring_and_is_taken_back",
        "3_a_build_that_hangs_is_ended_by_the_kernels_timer_and_taken_back",
        "4_what_is_no_program_for_this_machine_says_so_and_changes_nothing", "5_halt_ends_what_has_not_begun")},
    ("update_attacks", "test_z_a_good_one_goes_through_the_same_hands"): EXECVEAT,
    **{("evidence_verbs", f"test_{name}"): PTRACE for name in (
        "a_cancelled_dump_leaves_the_process_running_and_no_child", "a_dump_is_a_core_file_that_others_read",
        "a_stopped_process_goes_on_when_its_worker_is_killed")},
    **{("evidence_verbs", f"test_{name}"): CONFINED for name in (
        "a_cancelled_scan_leaves_no_scanner", "a_long_scan_takes_a_tenth_of_a_core", "a_query_asks_yara_and_libmagic",
        "a_query_with_rules_takes_a_tenth_of_a_core_and_its_cancel_leaves_no_scanner", "a_scan_finds_files_and_processes_by_rules",
        "a_scan_that_may_take_a_core_takes_more")},
    ("collect", "test_the_triage_comes_in_order_of_volatility"):
        "its look at every number that a process may have (hidden_processes) takes an emulator longer than a query may",
    ("forgery", "test_ten_thousand_envelopes_run_nothing"): "ten thousand signatures take an emulator longer than the test waits",
    ("doctor", "test_http_answers_in_place_of_the_upgrade"): "qemu-user gives four bytes of TCP_INFO, so that what was no HTTP is not counted as an answer",
}
AT_ONCE = 3  # scripts; they mostly wait
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
    # A network of its own: captures take a right that only the owner of a network has.
    subprocess.run([sys.executable, "-c", loopback.UP], check=True)
    tried = os.fork()
    if tried:
        return status_of(tried)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        passed = all(list(pool.map(lambda test: passes(arch, test), tests)))
    os._exit(0 if passed else 1)


def status_of(child):
    """Its status at its end. Until then this is the namespace's init, which orphans go to: runaway has tens of thousands, and
    unless somebody takes note of their end the machine has no numbers left for processes."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def passes(arch, test):
    done = subprocess.run([sys.executable, ROOT / f"tests/e2e/{test}_test.py"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    failed = set(re.findall(r"(?m)^(?:FAIL|ERROR): (\w+) ", done.stdout))
    ran = re.search(r"(?m)^Ran (\d+) tests? in ([\d.]+)s", done.stdout)
    if not ran or (done.returncode != 0 and not failed):
        print(f"  {arch} {test}: status {done.returncode}\n{done.stdout[-6000:]}", flush=True)
        return False
    cannot = {name for script, name in CANNOT if script == test}
    line = f"  {arch} {test}: {max(int(ran[1]) - len(failed), 0)} of {ran[1]} in {float(ran[2]):.0f} s"
    for name in sorted(failed):
        line += f"\n      {name}: {CANNOT.get((test, name), 'FAILED')}"
    for name in sorted(cannot - failed):
        line += f"\n      {name}: passes after all"
    print(line, flush=True)
    if failed - cannot:
        print(done.stdout[-6000:], flush=True)
    return failed <= cannot


def main():
    if sys.argv[1] == "--inside":
        return inside(sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4:])
    arch, agent, binaries, *tests = sys.argv[1:]
    for why, missing in (("not root", os.getuid() != 0), ("no qemu-user-static", not os.path.exists(f"/usr/bin/{FORMATS[arch][1]}")),
                         (f"no {agent}", not os.path.exists(agent))):
        if missing:
            print(f"skipped: {why}")
            return 77
    with tempfile.TemporaryDirectory(prefix="holdfast-foreign-") as name:
        place = pathlib.Path(name)
        place.chmod(0o755)
        for program in pathlib.Path(binaries).resolve().iterdir():
            (place / program.name).symlink_to(program)
        # YARA too, where it was made (`./dev package yara --arch`): this machine's would not do.
        for program in ("holdfast-agent", "holdfast-agent-yara"):
            (place / program).unlink(missing_ok=True)
            foreign = pathlib.Path(agent).resolve().parent / program
            if foreign.exists():
                (place / program).symlink_to(foreign)
        environment = os.environ | {"HOLDFAST_BIN": name, "HOLDFAST_AGENT_ARCH": arch}
        if arch in PROCESSOR:
            environment["QEMU_CPU"] = PROCESSOR[arch]
        child = subprocess.Popen(
            ["unshare", "--user", "--mount", "--pid", "--net", "--fork", "--kill-child", sys.executable, __file__, "--inside",
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
