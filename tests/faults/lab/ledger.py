"""A copy of control's ledger, to read at rest.

Control locks its ledger for itself, so the files are copied (database and write-ahead log) until a
copy was made during which neither changed.
"""
import shutil
import sqlite3
import tempfile
import pathlib

from .marks import ID
from .stack import wait_for

ENDED = 5
STATES = {1: "ACCEPTED", 2: "SENT", 3: "RECEIVED", 4: "STARTED", 5: "ENDED", 6: "UNKNOWN"}
OUTCOMES = {1: "DONE", 2: "FAILED", 3: "REFUSED", 4: "EXPIRED", 5: "CANCELLED", 6: "INTERRUPTED"}


def text(value):
    return value.decode(errors="replace") if isinstance(value, bytes) else value


class Ledger:
    """commands: {mark id: row}, deliveries: [row], audit: [row], agents: {hex id: row}."""

    def __init__(self, stack):
        with tempfile.TemporaryDirectory(dir=stack.dir) as folder:
            path = pathlib.Path(folder) / "ledger.db"
            wait_for(lambda: self._copy(stack.fleet / "server/state", path), 20,
                     "the ledger never rests", every=0.1)
            db = sqlite3.connect(path)
            db.row_factory = sqlite3.Row
            check = db.execute("PRAGMA integrity_check").fetchone()[0]
            assert check == "ok", f"ledger.db: {check}"
            self._read(db)
            db.close()

    @staticmethod
    def _copy(state, path):
        names = ("ledger.db", "ledger.db-wal")

        def facts():
            return [(state / n).exists() and (state / n).stat()[6:9] for n in names]
        before = facts()
        for name in names:
            copy = path.parent / name
            copy.unlink(missing_ok=True)
            if (state / name).exists():
                shutil.copyfile(state / name, copy)
        return facts() == before

    def _read(self, db):
        rows = [dict(r) for r in db.execute(
            "SELECT digest, verb, detail, accepted_ms, not_after_ms, targets, ended, envelope, cert_envelope"
            " FROM commands")]
        self.by_digest = {}
        self.commands = {}
        for row in rows:
            row["detail"] = text(row["detail"])
            found = ID.search(row["detail"])
            row["mark"] = found.group() if found else None
            self.by_digest[row["digest"]] = row
            if found:
                assert found.group() not in self.commands, f"{found.group()} is there twice"
                self.commands[found.group()] = row
        self.deliveries = [dict(r) for r in db.execute(
            "SELECT digest, agent_id, state, accepted_ms, sent_ms, received_ms, started_ms,"
            " ended_ms, sends, attempt, outcome, failure, message FROM deliveries")]
        self.audit = [dict(r) for r in db.execute(
            "SELECT seq, at_ms, action, digest, agent_id, detail FROM audit ORDER BY seq")]
        self.agents = {r["id"].hex(): dict(r) for r in db.execute(
            "SELECT id, epoch, clone_suspected FROM agents")}
        for row in self.audit:
            row["action"] = text(row["action"])
        for row in self.deliveries:
            row["message"] = text(row["message"])
