"""Marked commands: each carries an id that the effect files, the ledger and the output show again."""
import collections
import hashlib
import re
import time

from .stack import MARK

ID = re.compile(r"\bmk-[0-9a-z]+-\d+\b")


def now_ms():
    return int(time.time() * 1000)


class Mark:
    """One command to one or more agents.

    verb:    "exec", "query" or "get"
    targets: LabAgents
    status:  "begun" until the client log knows: "ok", "fail" (refused: nothing may happen) or
             "unknown" (it may have been accepted)
    """

    def __init__(self, mark_id, verb, targets):
        self.id, self.verb, self.targets = mark_id, verb, list(targets)
        self.status, self.job, self.words = "begun", None, ""
        self.may = set()         # outcomes that this fault explains, besides the good ones
        self.may_answer_late = False  # after control has given it up
        self.unheard = False     # the fault keeps its receipts from control, and may lose the journal
        self.sleep_ms = self.lines = 0
        self.grace_ms = 0        # from a start in time to the effect, where the expiry may lie between
        self.sha256 = None       # of a get's file
        self.begun_ms = now_ms()

    def stdout(self):
        return "".join(f"{self.id} {i:08d}\n" for i in range(self.lines))


class Marks:
    """Makes marked commands and remembers them. `ever`: those of all series on this stack."""

    def __init__(self, stack, series, ever=None):
        self.stack, self.series = stack, series
        self.made = {}
        self.ever = {} if ever is None else ever
        self.sources = stack.dir / "sources"
        self.sources.mkdir(exist_ok=True)
        self._files = {}

    def _new(self, verb, targets):
        mark = Mark(f"mk-{self.series}-{len(self.made) + 1}", verb, targets)
        assert mark.id not in self.ever, f"{mark.id} is there twice"
        self.made[mark.id] = self.ever[mark.id] = mark
        return mark

    def exec(self, targets, sleep_ms=0, lines=1):
        mark = self._new("exec", targets)
        mark.sleep_ms, mark.lines = sleep_ms, lines
        return mark, ["exec", self._who(targets), "--", MARK, self.stack.effects, mark.id,
                      sleep_ms, lines]

    def query(self, targets):
        mark = self._new("query", targets)
        return mark, ["query", self._who(targets), f"SELECT '{mark.id}' AS mark, 6 * 7 AS answer"]

    def get(self, targets, size):
        mark = self._new("get", targets)
        source = self._source(size)
        path = self.sources / mark.id
        path.hardlink_to(source)
        mark.sha256 = self._files[source]
        return mark, ["get", self._who(targets), path]

    def _source(self, size):
        path = self.sources / f"{size}.bin"
        if path not in self._files:
            block = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(4096))
            data = (block * (size // len(block) + 1))[:size]
            path.write_bytes(data)
            self._files[path] = hashlib.sha256(data).hexdigest()
        return path

    @staticmethod
    def _who(targets):
        return ",".join(agent.id for agent in targets)


def read_effects(folder, aliases=None):
    """{(id, agent's program name): [wall ms, ...]}; a torn line is a failure of the laboratory."""
    found = collections.defaultdict(list)
    for path in folder.iterdir():
        for line in path.read_text().splitlines():
            mark_id, at_ms = line.split()
            found[(mark_id, (aliases or {}).get(path.name, path.name))].append(int(at_ms))
    return found
