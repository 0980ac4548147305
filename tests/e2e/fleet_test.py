#!/usr/bin/env python3
"""Two agents and three gateways: targets, labels, agents that are away, cancel, the audit trail."""
import hashlib
import time

from harness import procs
from harness.case import StackTest, main
from harness.procs import wait_for


def audit_hash(record):
    """docs/protocol.md section 9."""
    words = [record["actor"].encode(), record["action"].encode(),
             bytes.fromhex(record.get("digest") or ""), bytes.fromhex(record.get("agent_id") or ""),
             record["detail"].encode()]
    data = (b"HOLDFAST-AUDIT-v1\0" + bytes.fromhex(record["prev_hash"]) +
            int(record["seq"]).to_bytes(8, "big") + int(record["at_ms"]).to_bytes(8, "big"))
    for word in words:
        data += len(word).to_bytes(4, "big") + word
    return hashlib.sha256(data).hexdigest()


class FleetTest(StackTest):
    gateways = 3

    @classmethod
    def set_up_agents(cls):
        assert cls.stack.holdfast("jobs").json() == []  # nothing yet is an answer too
        cls.a = cls.stack.add_agent("a", labels=["site=north", "role=web"])
        cls.b = cls.stack.add_agent("b", labels=["site=south", "role=web"])

    def targets(self, target, status=0):
        """Which agents answered."""
        answers = self.stack.holdfast("query", target, "SELECT 1 AS one", expect=status).json()
        for answer in answers:
            self.assertEqual(answer["outcome"], "DONE", answer)
        return {answer["agent_id"] for answer in answers}

    def test_three_gateways_run_and_share_the_links(self):
        self.assertEqual(len(self.stack.processes("gateway")), 3)
        self.assertEqual(self.stack.metrics().get("holdfast_links"), 2)

    def test_the_list_of_agents_tells_what_is_documented(self):
        row = self.stack.agent_rows()[self.a.id]
        self.assertLessEqual(
            {"id", "hostname", "online", "last_seen", "version", "os", "arch", "labels"}, set(row))
        self.assertEqual(row["labels"], {"site": "north", "role": "web"})
        filtered = self.stack.holdfast("agents", "--label", "site=south", "--online").json()
        self.assertEqual([r["id"] for r in filtered], [self.b.id])

    def test_a_target_is_an_id_a_prefix_a_label_or_all(self):
        both = {self.a.id, self.b.id}
        self.assertEqual(self.targets(self.a.id), {self.a.id})
        self.assertEqual(self.targets(self.b.id[:12]), {self.b.id})
        self.assertEqual(self.targets("label:site=north"), {self.a.id})
        self.assertEqual(self.targets("label:role=web"), both)
        self.assertEqual(self.targets("all"), both)

    def test_a_target_that_matches_nothing_or_several_says_so(self):
        nothing = self.stack.holdfast("query", "nobody-here", "SELECT 1", expect=None)
        self.assertEqual(nothing.status, 2, nothing)
        self.assertIn("nobody-here", nothing.err)
        # Both agents run on this machine and share its hostname.
        name = self.stack.agent_rows()[self.a.id]["hostname"]
        several = self.stack.holdfast("query", name, "SELECT 1", expect=None)
        self.assertEqual(several.status, 2, several)
        for agent in (self.a, self.b):
            self.assertIn(agent.id[:8], several.err)

    def test_one_target_of_several_that_fails_makes_the_status_1(self):
        only_a = self.stack.dir / "only-a"
        answers = self.stack.holdfast(
            "exec", "all", "--", "sh", "-c",
            f"tr '\\0' ' ' </proc/$PPID/cmdline >/dev/null; mkdir {only_a}", expect=1).json()
        self.assertEqual(sorted(a["outcome"] for a in answers), ["DONE", "FAILED"])

    def test_an_agent_that_was_away_answers_what_was_queued(self):
        mark = self.stack.dir / "queued-ran"
        self.b.stop()
        self.stack.wait_online(self.b, online=False)
        began = time.monotonic()
        reply = self.stack.holdfast("exec", self.b.id, "--wait", "0", "--",
                                    "sh", "-c", f"echo ran >> {mark}", expect=None)
        self.assertLess(time.monotonic() - began, 5)
        self.assertIn(reply.status, (0, 1), reply)
        self.assertRegex(reply.text + reply.err, r"queue|until|offline|SENT|ACCEPTED|not_after")
        job = reply.json()[0]["job"]
        self.assertFalse(mark.exists())
        self.b.start()
        wait_for(mark.exists, 30, lambda: f"the queued command did not run\n{self.stack.logs()}")

        def ended():
            deliveries = self.stack.holdfast("job", job[:12]).json()["deliveries"]
            return deliveries[0]["outcome"] == "DONE"
        wait_for(ended, 10, lambda: self.stack.holdfast("job", job[:12]).text, every=0.2)
        self.assertEqual(mark.read_text(), "ran\n")
        self.assertIn(job, [j["job"] for j in self.stack.holdfast("jobs").json()])

    def test_wait_0_returns_before_the_command_ends_and_cancel_ends_its_children(self):
        seconds = "76543"  # only this test sleeps that long
        sleepers = lambda: [p for p in procs.all_processes() if p.argv == ["sleep", seconds]]
        job = self.stack.holdfast(
            "exec", self.a.id, "--wait", "0", "--", "sh", "-c",
            f"sleep {seconds} & setsid sleep {seconds} & sleep {seconds}", expect=None).json()[0]["job"]
        wait_for(lambda: len(sleepers()) == 3, 10, "the command did not start")
        self.stack.holdfast("cancel", job)
        wait_for(lambda: not sleepers(), 10, lambda: f"still there: {sleepers()}")
        state = lambda: self.stack.holdfast("job", job).json()["deliveries"][0]
        wait_for(lambda: state()["outcome"] == "CANCELLED", 10, lambda: str(state()), every=0.2)

    def test_the_audit_trail_is_one_unbroken_chain_and_names_every_step(self):
        job = self.stack.holdfast("exec", self.a.id, "--", "true").json()[0]["job"]
        records = self.stack.holdfast("audit").json()
        before = "00" * 32
        for number, record in enumerate(records, 1):
            self.assertEqual(record["seq"], number)
            self.assertEqual(record["prev_hash"], before)
            self.assertEqual(record["hash"], audit_hash(record), record)
            before = record["hash"]
        about = [r["action"] for r in records if r.get("digest") == job]
        self.assertEqual(about, ["command.accepted", "command.sent", "command.received",
                                 "command.started", "command.ended"])

    def test_a_second_backend_on_the_same_directory_is_refused(self):
        second = self.stack.run("holdfastd", "--dir", self.stack.fleet, expect=None, timeout=20)
        self.assertNotEqual(second.status, 0)
        self.assertRegex(second.err, "(?i)already|in use|running|lock")
        self.assertEqual(self.targets(self.a.id), {self.a.id})

    def test_a_restart_of_the_backend_keeps_everything(self):
        jobs = len(self.stack.holdfast("jobs").json())
        audit = self.stack.holdfast("audit").json()
        self.stack.stop_backend()
        self.stack.start()
        self.stack.wait_online(self.a, self.b, seconds=60)
        self.assertEqual(len(self.stack.holdfast("jobs").json()), jobs)
        again = self.stack.holdfast("audit").json()
        self.assertEqual(again[:len(audit)], audit)
        self.assertEqual(self.targets("all"), {self.a.id, self.b.id})

    def test_check_config_names_file_line_and_key(self):
        bad = self.stack.dir / "bad.toml"
        bad.write_text((self.stack.fleet / "server/holdfastd.toml").read_text() +
                       "\n[nonsense]\nfoo = 1\n")
        line = bad.read_text().splitlines().index("[nonsense]") + 1
        said = self.stack.run("holdfastd", "check-config", "--config", bad, expect=None)
        self.assertNotEqual(said.status, 0)
        for word in ("bad.toml", "nonsense"):
            self.assertIn(word, said.err + said.text)
        self.assertRegex(said.err + said.text, rf":({line}|{line + 1})\b")


if __name__ == "__main__":
    main()
