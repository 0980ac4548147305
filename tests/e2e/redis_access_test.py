#!/usr/bin/env python3
"""Each role's user at Redis may do what the role does and nothing else, and the backend works whole with it."""
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

from harness import procs
from harness.case import StackTest, main
from harness.procs import wait_for
from harness.redis import Redis
from harness.stack import REDIS_ADMIN, ROOT

ROLES = ("supervisor", "gateway", "control")
PASSWORDS = {role: secrets.token_hex(16) for role in ROLES}
LINES = "".join(f"{role} holdfast-{role} {PASSWORDS[role]}\n" for role in ROLES)
GATEWAYS, CONTROLS = "hf:{g.h.g0.0}:in", "hf:{c.h.c0.0}:in"
KEYS = (GATEWAYS, CONTROLS, "hf:{g.h.g0.0}:lease", "other")
# What a role may do, with the keys; and without one.
MAY = {"supervisor": {},
       "gateway": {"xadd": {CONTROLS}, "expire": {CONTROLS}, "xread": {GATEWAYS}, "xrevrange": {GATEWAYS}, "unlink": {GATEWAYS}},
       "control": {"xadd": {GATEWAYS}, "expire": {GATEWAYS}, "xread": {CONTROLS}, "xrevrange": {CONTROLS},
                   "xtrim": {GATEWAYS, CONTROLS}, "unlink": {GATEWAYS, CONTROLS}}}
KEYLESS = {"ping", "role"}
ARGUMENTS = {"xadd": ("{}", "*", "m", "x"), "xread": ("STREAMS", "{}", "0"), "unlink": ("{}",), "expire": ("{}", "60"),
             "xrevrange": ("{}", "+", "-"), "xtrim": ("{}", "MINID", "5-0")}
FOR_ANYBODY = {"auth", "hello", "quit", "reset"}  # Redis asks no user for these
FOR_NOBODY = {"debug", "module|load", "module|loadex", "module|unload"}  # off by its own default, whoever asks


def commands(redis):
    """Every command that this Redis knows (of a family, its members), with as many words as it wants at least."""
    found = {}
    def take(rows):
        for row in rows:
            name, arity, flags = row[0].decode(), row[1], {f.decode() for f in row[2]}
            if not row[9]:
                found[name] = (name.split("|") + ["x"] * abs(arity))[:max(abs(arity), name.count("|") + 1)]
            assert ("no_auth" in flags) == (name in FOR_ANYBODY), row
            take(row[9])
    take(redis.call("COMMAND"))
    return found


def refusal(redis, *words):
    """Why Redis would not, by the word that says so; "" if it did."""
    try:
        redis.call(*words)
        return ""
    except RuntimeError as why:
        return next((word for word in ("NOPERM", "NOAUTH", "command not allowed") if word in str(why)), str(why))


class RedisAccessTest(StackTest):
    gateways = 2
    redis_users = LINES

    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    def client(self, role):
        redis = self.stack.redis(role and (f"holdfast-{role}", PASSWORDS[role]))
        self.addCleanup(redis.close)
        return redis

    def admin(self):
        redis = self.stack.redis()
        self.addCleanup(redis.close)
        return redis

    def works(self):
        reply = self.stack.holdfast("exec", self.agent.id, "--", "true")
        self.assertEqual(reply.json()[0]["outcome"], "DONE")

    def log(self):
        return self.stack.log.read_text(errors="replace")

    def test_every_command_that_is_not_listed_is_refused(self):
        known = commands(self.admin())
        self.assertGreater(len(known), 300)
        for word in ("eval", "keys", "config|set", "flushall", "script|load", "module|load", "acl|setuser",
                     "debug", "function|load", "shutdown", "replicaof"):
            self.assertIn(word, known)
        for role in ROLES:
            redis = self.client(role)
            listed = FOR_ANYBODY | KEYLESS | set(MAY[role])  # the latter on their keys: below
            for name, words in known.items():
                if name not in listed:
                    self.assertEqual(refusal(redis, *words),
                                     "command not allowed" if name in FOR_NOBODY else "NOPERM", (role, name))
            self.assertEqual(redis.call("PING"), b"PONG")
        stranger = self.client(None)
        for name, words in known.items():
            if name not in FOR_ANYBODY | FOR_NOBODY:
                self.assertEqual(refusal(stranger, *words), "NOAUTH", name)
        print(f"{len(known)} commands, {len(ROLES)} roles")

    def test_each_command_only_on_the_roles_own_keys(self):
        admin = self.admin()
        for role in ROLES:
            redis = self.client(role)
            for name, words in ARGUMENTS.items():
                for key in KEYS:
                    said = refusal(redis, name, *(w.format(key) if w == "{}" else w for w in words))
                    self.assertEqual(said, "" if key in MAY[role].get(name, ()) else "NOPERM",
                                     (role, name, key))
        admin.call("DEL", *KEYS)

    def test_the_backend_needs_no_more_than_that(self):
        admin = self.admin()
        admin.call("ACL", "LOG", "RESET")
        logged = len(self.log())
        self.works()
        big = self.stack.dir / "big"
        big.write_bytes(secrets.token_bytes(8 << 20))
        self.stack.holdfast("get", self.agent.id, big, "-d", self.stack.dir / "into")
        for key in admin.call("KEYS", "hf:*:in"):  # each role repairs its own stream
            admin.call("DEL", key)
            admin.call("SET", key, "not a stream")
        self.works()
        before = set(admin.call("KEYS", "hf:{g.*}:in"))
        for gateway in self.stack.processes("gateway"):
            gateway.kill(signal.SIGKILL)
        self.stack.wait_online(self.agent)
        self.works()
        # Control removes the streams of those that are gone after 15 s.
        wait_for(lambda: not before & set(admin.call("KEYS", "hf:{g.*}:in")), 40, "old streams stay")
        self.assertEqual(admin.call("ACL", "LOG"), [])
        self.assertNotIn("redis_denied", self.log()[logged:])

    def test_users_are_the_same_after_redis_was_killed(self):
        (redis,) = self.stack.processes("redis")
        redis.kill(signal.SIGKILL)
        wait_for(lambda: self.stack.processes("redis") not in ([], [redis]), 10, "Redis does not come back")
        self.stack.wait_ready()
        self.works()
        self.assertEqual(refusal(self.client(None), "PING"), "NOAUTH")

    def test_a_refusal_is_logged_with_its_reason(self):
        admin = self.admin()
        admin.call("ACL", "SETUSER", "holdfast-gateway", "clearselectors")
        wait_for(lambda: re.search(r"redis_denied.*NOPERM", self.log()), 15,
                 lambda: f"the refusal is not logged\n{self.log()[-2000:]}")
        admin.call("ACL", "LOAD")  # which cuts everybody's connection, ours too
        self.stack.wait_online(self.agent)
        self.works()

    def test_no_password_is_on_a_command_line_or_on_disk(self):
        secret = [word.encode() for word in PASSWORDS.values()]
        below = [self.stack.backend.pid, *(p.pid for p in procs.descendants(self.stack.backend.pid))]
        self.assertGreaterEqual(len(below), 5)
        for pid in below:
            for name in ("cmdline", "environ"):
                text = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
                self.assertFalse([s for s in secret if s in text], (pid, name))
        files = [p for p in self.stack.fleet.rglob("*") if p.is_file() and p.name != "redis.users"]
        self.assertTrue(files)
        self.assertEqual([p for p in files if any(s in p.read_bytes() for s in secret)], [])


class OwnRedisTest(StackTest):
    """A Redis of the operator's, with the lines of docs/operations/redis.md."""
    gateways = 2

    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-own-redis-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        page = (ROOT / "docs/operations/redis.md").read_text().split("## A cluster")[0]
        rules = re.findall(r"^user holdfast-(\w+) (.*)$", page, re.M)
        assert [role for role, _ in rules] == list(ROLES), rules
        acl = [f"user holdfast-{role} {how.replace('>PASSWORD', '>' + PASSWORDS[role])}"
               for role, how in rules]
        (cls.dir / "users.acl").write_text("\n".join(
            [*acl, f"user {REDIS_ADMIN[0]} on >{REDIS_ADMIN[1]} ~* &* +@all", "user default off", ""]))
        (cls.dir / "logins").write_text("".join(
            re.findall(rf"^(?:{'|'.join(ROLES)}) holdfast-\w+ PASSWORD\n", page, re.M)))
        text = (cls.dir / "logins").read_text()
        for role in ROLES:
            text = text.replace(f"holdfast-{role} PASSWORD", f"holdfast-{role} {PASSWORDS[role]}")
        (cls.dir / "logins").write_text(text)
        cls.socket = cls.dir / "redis.sock"
        server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", cls.socket, "--aclfile", cls.dir / "users.acl",
             "--save", "", "--dir", cls.dir, "--logfile", cls.dir / "redis.log"],
            stdin=subprocess.DEVNULL, preexec_fn=procs.end_with_parent)
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.kill)
        cls.keys = (("redis", "url", f"unix://{cls.socket}"), ("redis", "users", str(cls.dir / "logins")))
        super().setUpClass()

    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    works, log = RedisAccessTest.works, RedisAccessTest.log

    def test_the_documented_lines_suffice_and_a_wrong_password_is_named(self):
        admin = Redis(self.socket)
        self.addCleanup(admin.close)
        admin.call("AUTH", *REDIS_ADMIN)
        self.works()
        self.assertEqual(self.stack.processes("redis"), [])
        self.assertEqual(admin.call("ACL", "LOG"), [])
        self.assertNotIn("redis_denied", self.log())
        for role in ("control", "supervisor"):
            admin.call("ACL", "SETUSER", f"holdfast-{role}", "resetpass", ">another")
        admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        wait_for(lambda: re.search("redis_denied.*WRONGPASS", self.log()), 15,
                 lambda: f"the refusal is not logged\n{self.log()[-2000:]}")
        wait_for(lambda: "WRONGPASS" in self.health(), 15, self.health)
        admin.call("ACL", "LOAD")
        self.stack.wait_ready()
        self.works()

    def health(self):
        try:
            with urllib.request.urlopen(self.stack.admin_url("/healthz"), timeout=5) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.read().decode()


if __name__ == "__main__":
    main()
