"""A heap that refuses: the handshake path, at the n-th request, against the right server and a wrong one."""
import shutil
import subprocess

from lab.rows import Spec, register
from lab.stack import BIN
from rows_redis import finish

from harness import bundle  # of tests/e2e, which lab.stack puts on the path

LIBRARY = BIN / "libmalloc_shim.so"
DYNAMIC_AGENT = BIN / "holdfast-agent-dyn"
ENROL_SECONDS = 60
# Ends that are no accident: done, refused with words (a small status), and std::terminate or a check (SIGABRT).
ORDERLY = {*range(0, 10), -6}


def enrol(lab, bundle, state, at=0):
    """(exit status, was a request refused, how many there were or None, words)"""
    log = lab.stack.dir / "malloc.log"
    log.unlink(missing_ok=True)
    done = subprocess.run([DYNAMIC_AGENT, "enrol", "--bundle", bundle, "--state", state, "--timeout", "20"],
                          env=lab.stack.env(LD_PRELOAD=str(LIBRARY), HF_MALLOC_AT=str(at),
                                            HF_MALLOC_LOG=str(log)),
                          capture_output=True, timeout=ENROL_SECONDS, check=False)
    lines = log.read_text().split() if log.exists() else []
    counts = [int(line) for line in lines if line != "hit"]
    return done.returncode, "hit" in lines, counts[-1] if counts else None, done.stderr.decode()[-400:]


def wrong_bundle(lab):
    """Of this fleet, but with the CA of another one: no server that this agent may speak to is there."""
    other = lab.stack.dir / "other"
    lab.stack.run("holdfast", "init", "--dir", other, "--server", "wss://127.0.0.1:1")
    return bundle.edit(lab.stack.bundle("--uses", "100000"), ca=(other / "server/tls/ca.crt").read_bytes())


@register(id="D10", fault="malloc fails at the k-th request of an enrolment: names, TLS, upgrade, handshake; n of all k",
          figure="0 strangers accepted, no end by a bad access", spec=Spec(gateways=1, agents=1),
          n={"nightly": 200, "release": 4000}, must_bite=("refused requests", "ended with words", "wrong CA"))
def refused(lab, n):
    right, wrong = lab.stack.bundle("--uses", "100000"), wrong_bundle(lab)
    made = []

    def fresh():
        made.append(lab.stack.dir / f"heap-{len(made)}")
        return made[-1]
    status, _, most, words = enrol(lab, right, fresh())
    assert status == 0 and most, f"without a fault: {status} {words}"
    status, _, most_wrong, words = enrol(lab, wrong, fresh())
    assert status > 0 and most_wrong, f"a server of another CA, without a fault: {status} {words}"
    figures = {"requests": most, "enrolled": 0, "aborted": 0, "words": 0}
    for turn, at in enumerate(lab.rng.sample(range(1, most + 1), min(n, most))):
        is_wrong = turn % 2 == 1 and at <= most_wrong
        status, hit, _, words = enrol(lab, wrong if is_wrong else right, fresh(), at)
        assert status in ORDERLY, f"request {at} of {most} refused: ended with {status}: {words}"
        assert status != 0 or not is_wrong, f"request {at} refused: a server of another CA was accepted"
        lab.bites.hit("refused requests", hit)
        lab.bites.hit("wrong CA", hit and is_wrong)
        lab.bites.hit("ended with words", status > 0)
        figures["enrolled"] += status == 0
        figures["aborted"] += status == -6
        figures["words"] += status > 0
        shutil.rmtree(made[-1], ignore_errors=True)
    finish(lab, 60, figures)
    return figures
