"""Rows of the table that end-to-end tests break: what they check is not written twice, here it is repeated and counted.

n turns of one class of tests/e2e, each with a fleet of its own; a turn whose tests fail, or that ran none, fails
the row with what it said.
"""
import os
import pathlib
import re
import subprocess
import sys

from lab.rows import register
from lab.stack import BIN, procs

E2E = pathlib.Path(__file__).resolve().parents[1] / "e2e"
TURN_SECONDS = 600


def turn(script, cases):
    """How many tests ran, and what they printed of figures."""
    done = subprocess.run([sys.executable, E2E / f"{script}_test.py", *cases], capture_output=True,
                          env={**os.environ, "HOLDFAST_BIN": str(BIN)}, timeout=TURN_SECONDS, check=False,
                          preexec_fn=procs.end_with_parent)
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, f"{script}_test.py {' '.join(cases)}: {said[-3000:]}"
    ran = re.search(r"(?m)^Ran (\d+) tests?", said)
    return int(ran[1]) if ran else 0, [line for line in done.stdout.decode().splitlines() if line.strip()]


def of_test(row_id, script, cases, fault, figure, n):
    def run(own, turns):
        figures = {}
        for _ in range(turns):
            ran, said = turn(script, cases)
            own.bites.hit("tests ran", ran)
            for line in said:
                own.say(f"  {line}")
                figures["said"] = line.split(": ", 1)[-1][:160]
        return figures
    register(id=row_id, fault=f"{fault} (e2e/{script}_test.py)", figure=figure, n=n, spec=None,
             must_bite=("tests ran",))(run)


of_test("A11", "roll", ["RollTest.test_every_process_is_replaced_under_load_and_no_command_fails"],
        "rolling restart under load", "0 failed commands, gap per agent p99 <= 5 s",
        {"nightly": 3, "release": 20})
of_test("B7", "queue", ["QueueTest"], "200 commands queued for an agent that is away",
        "all run, once", {"nightly": 3, "release": 50})
of_test("C4", "proxy", ["ProxyTest"], "proxies that bar the tunnel, and one that cuts",
        "own reason and back-off, 0 lost", {"nightly": 2, "release": 20})
of_test("C9", "admission", ["SlowlorisTest"], "1,000 silent sockets that come again, from one address",
        "good connects >= 99 %, p99 <= 2 s", {"nightly": 2, "release": 20})
of_test("C10", "admission", ["FewDescriptorsTest", "LostDescriptorsTest"],
        "256 descriptors and 300 strangers; sockets lost on their way to a gateway",
        "CPU < 20 %, links live, recovery <= 1 s", {"nightly": 2, "release": 20})
of_test("C13", "trust", ["TrustTest"], "a server of another CA, and one of another name",
        "0 application bytes, refused with its reason", {"nightly": 2, "release": 20})
of_test("D11", "runaway", ["RunawayTest"], "`yes`, 10 GiB of output, a fork bomb, chains of runaways",
        "gone <= 2 s after the limit, agent RSS <= 64 MiB", {"nightly": 2, "release": 20})
