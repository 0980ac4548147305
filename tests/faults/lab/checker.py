"""The one checker: I1-I8 of docs/delivery.md over what a run left behind.

Reads the client log (marks), the effect files, the ledger, the audit, the agents' journals and the
results as the analyst gets them. Called at rest: faults healed, load stopped, everything ended.

    check(stack, marks, client) -> Verdict

Limits: I8 here is about absolute bounds at rest; slopes are the soak's business.
"""
import collections
import json
import pathlib
import shutil
import subprocess
import tempfile

from . import ledger as ledgers
from .marks import read_effects
from .stack import BIN, procs

# At rest, bytes of resident memory and open descriptors. Agents: decisions/0011's budget with the
# room a debug build needs; the backend: docs/operations, a small fleet.
REST_RSS_BYTES = {"warden": 64 << 20, "link": 64 << 20, "gateway": 192 << 20,
                  "control": 384 << 20, "supervisor": 64 << 20, "redis": 192 << 20}
REST_FDS = 128
RESULT_SECONDS = 120
PARALLEL = 4  # results are fetched by so many command lines at once
NOT_GOOD = {"REFUSED", "EXPIRED", "?"}  # unless the mark says that it may be
RAN, MAY_HAVE_RUN = {"DONE"}, {"FAILED", "CANCELLED", "INTERRUPTED"}


class Verdict:
    def __init__(self):
        self.violations = []
        self.counts = collections.Counter()
        self.outcomes = collections.Counter()

    def fail(self, invariant, text):
        self.counts[invariant] += 1
        self.violations.append(f"{invariant}: {text}")

    @property
    def lost(self):
        return self.counts["lost"]

    @property
    def doubled(self):
        return self.counts["doubled"]

    def require_clean(self):
        if self.violations:
            shown = "\n  ".join(self.violations[:20])
            raise AssertionError(f"{len(self.violations)} violations\n  {shown}")


def check(stack, marks, only=None, resources=True):
    """`only`: mark ids, to leave out what an earlier check has seen; None is all of them."""
    book = ledgers.Ledger(stack)
    effects = read_effects(stack.effects, stack.aliases)
    wanted = {i: m for i, m in marks.made.items() if only is None or i in only}
    verdict = Verdict()
    verdict.ledger = book
    names = {agent.id: agent for agent in stack.agents.values()}
    deliveries = collections.defaultdict(list)
    for row in book.deliveries:
        row["mark"] = book.by_digest[row["digest"]]["mark"]
        row["agent"] = names.get(row["agent_id"].hex())
        row["outcome_name"] = ledgers.OUTCOMES.get(row["outcome"], "?")
        deliveries[row["mark"]].append(row)
    for mark in wanted.values():
        check_ends(mark, book, deliveries[mark.id], verdict)
        check_effects(mark, book, deliveries[mark.id], effects, verdict)
    check_strangers(marks, effects, book, deliveries, verdict)
    check_audit(stack, wanted, book, deliveries, verdict)
    check_results(stack, [m for m in wanted.values() if m.id in book.commands],
                  deliveries, verdict)
    check_agents(stack, book, verdict)
    if resources:
        check_resources(stack, verdict)
    return verdict


# --- I1 ------------------------------------------------------------------------------------------
def check_ends(mark, book, rows, verdict):
    if mark.status in ("begun", "unknown"):
        # Settled since: what is in the ledger was accepted, what is not never will be.
        mark.status = "ok" if mark.id in book.commands else "fail"
    if mark.status == "fail":
        if mark.id in book.commands:
            verdict.fail("I1", f"{mark.id} was refused ({mark.words}) and is in the ledger")
        return
    if mark.id not in book.commands:
        verdict.counts["lost"] += 1
        verdict.fail("I1", f"{mark.id} was accepted and is not in the ledger")
        return
    verdict.counts["accepted"] += len(rows)
    if len(rows) != len(mark.targets):
        verdict.fail("I1", f"{mark.id} has {len(rows)} deliveries of {len(mark.targets)}")
    for row in rows:
        if row["state"] != ledgers.ENDED:
            verdict.counts["lost"] += 1
            verdict.fail("I1", f"{mark.id} at {name_of(row)} is {ledgers.STATES[row['state']]}")
            continue
        verdict.outcomes[row["outcome_name"]] += 1
        verdict.counts["sent again"] += row["sends"] > 1
        if row["outcome_name"] in NOT_GOOD - mark.may or row["failure"] == 65:  # BAD_RESULT
            verdict.fail("I1", f"{mark.id} at {name_of(row)} ended {row['outcome_name']}"
                               f" {row['failure']}: {row['message']}")


def name_of(row):
    return row["agent"].name if row["agent"] else row["agent_id"].hex()[:8]


# --- I2, I4 --------------------------------------------------------------------------------------
def check_effects(mark, book, rows, effects, verdict):
    if mark.verb != "exec":
        return
    seen = 0
    for row in rows:
        times = effects.get((mark.id, f"agent-{name_of(row)}"), [])
        seen += len(times)
        if len(times) > 1:
            verdict.counts["doubled"] += 1
            verdict.fail("I2", f"{mark.id} took effect {len(times)} times at {name_of(row)}: {times}")
        if times and row["outcome_name"] not in RAN | MAY_HAVE_RUN:
            verdict.fail("I4", f"{mark.id} at {name_of(row)} is {row['outcome_name']} and ran")
        if times and not row["started_ms"] and not (mark.unheard and row["outcome_name"] == "INTERRUPTED"):
            verdict.fail("I4", f"{mark.id} ran at {name_of(row)} and was never started: unjournaled;"
                               f" ended {row['outcome_name']} {row['failure']} {row['message']}")
        for at_ms in times:
            if at_ms > book.commands[mark.id]["not_after_ms"] + mark.grace_ms:
                verdict.fail("I4", f"{mark.id} ran at {name_of(row)} after its expiry")
    nowhere = effects.get((mark.id, "unknown"), [])
    done = sum(row["outcome_name"] in RAN for row in rows)
    if not done <= seen + len(nowhere) <= len(rows):
        verdict.counts["doubled"] += seen + len(nowhere) > len(rows)
        verdict.fail("I2", f"{mark.id}: {done} of {len(rows)} are DONE, {seen} effects, and"
                           f" {len(nowhere)} nobody's")


def check_strangers(marks, effects, book, deliveries, verdict):
    """No effect without a delivery of it to that very agent."""
    for (mark_id, program), times in effects.items():
        if mark_id not in marks.ever:
            verdict.fail("I4", f"an effect of {mark_id}, which nobody sent, at {program}")
        elif mark_id not in book.commands:
            verdict.fail("I4", f"{mark_id} is not in the ledger and ran at {program} {len(times)} times")
        elif program != "unknown" and program not in {f"agent-{name_of(r)}" for r in deliveries[mark_id]}:
            verdict.fail("I4", f"{mark_id} ran at {program}, which it did not name")


# --- I5 ------------------------------------------------------------------------------------------
ORDER = ["command.accepted", "command.sent", "command.received", "command.started", "command.ended"]


def check_audit(stack, wanted, book, deliveries, verdict):
    done = stack.holdfast("audit", "--verify", output=None, expect=None)
    if done.status != 0:
        verdict.fail("I5", f"audit --verify: {done.err.strip()}")
    trail, accepted = collections.defaultdict(list), collections.Counter()
    for row in book.audit:
        if row["action"] == "command.accepted":
            accepted[row["digest"]] += 1
        elif row["action"] in ORDER:
            trail[(row["digest"], row["agent_id"])].append(row["action"])
    for mark in wanted.values():
        for row in deliveries[mark.id]:
            check_trail(mark, row, trail[(row["digest"], row["agent_id"])], accepted, verdict)


def check_trail(mark, row, steps, accepted, verdict):
    where = f"{mark.id} at {name_of(row)}: "
    if accepted[row["digest"]] != 1:
        verdict.fail("I5", f"{where}accepted {accepted[row['digest']]} times in the audit")
    ends = steps.count("command.ended")
    if ends != (row["state"] == ledgers.ENDED):
        verdict.fail("I5", f"{where}{ends} ends in the audit, state {ledgers.STATES[row['state']]}")
    if row["outcome_name"] in RAN | {"INTERRUPTED"} and "INTERRUPTED" not in mark.may:
        missing = [s for s in ORDER[1:] if s not in steps]
        if missing:
            verdict.fail("I5", f"{where}{row['outcome_name']} without {missing}: {steps}")
    firsts = [steps.index(s) for s in ORDER if s in steps]
    if firsts != sorted(firsts):
        verdict.fail("I5", f"{where}out of order: {steps}")


# --- I3 ------------------------------------------------------------------------------------------
def check_results(stack, marks, deliveries, verdict):
    waiting = list(marks)
    running = []
    while waiting or running:
        while waiting and len(running) < PARALLEL:
            running.append(Fetch(stack, waiting.pop()))
        fetch = running.pop(0)
        fetch.finish(deliveries[fetch.mark.id], verdict)


class Fetch:
    """One `holdfast results`, and whether its bytes are those of the source."""

    def __init__(self, stack, mark):
        self.mark = mark
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="got-", dir=stack.dir))
        self.out = open(self.folder / "json", "w+b")
        self.err = open(self.folder / "words", "w+b")
        job = mark.job or self.job_of(stack, mark)
        self.process = subprocess.Popen(
            [BIN / "holdfast", "--dir", stack.fleet, "-o", "json", "--wait", "10s", "results", job,
             "-d", self.folder / "files"], env=stack.env(), stdin=subprocess.DEVNULL,
            stdout=self.out, stderr=self.err)

    @staticmethod
    def job_of(stack, mark):
        """Of one that the client never heard of again."""
        rows = ledgers.Ledger(stack).commands
        mark.job = rows[mark.id]["digest"].hex()
        return mark.job

    def finish(self, rows, verdict):
        try:
            self.process.wait(RESULT_SECONDS)
            self.out.seek(0)
            self.compare(json.load(self.out), rows, verdict)
        except (subprocess.TimeoutExpired, ValueError) as why:
            self.err.seek(0)
            verdict.fail("I3", f"{self.mark.id}: results: {why}: {self.err.read()[:400]}")
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.out.close()
            self.err.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def compare(self, answers, rows, verdict):
        by_agent = {row["agent_id"].hex(): row for row in rows}
        for answer in answers:
            row = by_agent.get(answer.get("agent_id"))
            where = f"{self.mark.id} at {name_of(row) if row else answer.get('agent_id')}"
            if row and self.is_late(answer, row):
                verdict.counts["answered late"] += 1
            elif "outcome" not in answer or answer.get("problem"):
                verdict.fail("I3", f"{where}: {answer.get('problem') or answer}")
            elif answer["outcome"] == "DONE" and not self.is_right(answer):
                verdict.fail("I3", f"{where}: not the bytes of the source: {str(answer)[:300]}")
            elif answer["outcome"] == "DONE":
                verdict.counts["verified"] += 1

    def is_late(self, answer, row):
        """Control gave it up, and the agent has signed something since: kept beside, and said."""
        return (self.mark.may_answer_late and row["outcome_name"] == "INTERRUPTED"
                and "signed another outcome" in (answer["problem"] or ""))

    def is_right(self, answer):
        if self.mark.verb == "exec":
            return answer["stdout"] == self.mark.stdout()
        if self.mark.verb == "query":
            return answer["rows"] == [{"mark": self.mark.id, "answer": 42}]
        return answer["sha256"] == self.mark.sha256 and sha256(answer["path"]) == self.mark.sha256


def sha256(path):
    import hashlib
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- I6, and what agents and processes look like at rest -------------------------------------------
def check_agents(stack, book, verdict):
    for agent in stack.agents.values():
        row = book.agents.get(agent.id)
        if row is None or not agent.running() or agent.has_twin:
            continue
        if row["clone_suspected"]:
            verdict.fail("I6", f"agent {agent.name} is taken for a clone")
        head, *rows = agent.journal()
        words = head.split()
        epoch = int(words[words.index("epoch") + 1])
        if row["epoch"] > epoch:
            verdict.fail("I6", f"agent {agent.name}: control saw epoch {row['epoch']}, the journal"
                               f" says {epoch}")
        if rows:
            verdict.fail("I1", f"agent {agent.name} still holds {len(rows)} commands: {rows[:3]}")
        left = [p for p in procs.descendants(agent.process.pid) if p.argv and "keeper" in p.argv[1:2]]
        if left:
            verdict.fail("I4", f"agent {agent.name} still runs {left}")


def check_resources(stack, verdict):
    ours = stack.backend_processes() + [procs.Process(stack.backend.pid)]
    for agent in stack.agents.values():
        if agent.running():
            ours += [agent.warden(), *agent.children("link")]
    verdict.resources = collections.defaultdict(lambda: [0, 0])
    for process in ours:
        role = stack.role_of(process)
        try:
            rss = process.memory("Rss")
            fds = len(list(pathlib.Path(f"/proc/{process.pid}/fd").iterdir()))
        except OSError:
            continue  # ended meanwhile
        most = verdict.resources[role]
        verdict.resources[role] = [max(most[0], rss), max(most[1], fds)]
        if rss > REST_RSS_BYTES.get(role, 1 << 40):
            verdict.fail("I8", f"{role} {process.pid} holds {rss >> 20} MiB at rest")
        if fds > REST_FDS + 4 * len(stack.agents):
            verdict.fail("I8", f"{role} {process.pid} holds {fds} descriptors at rest")
