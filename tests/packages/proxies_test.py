#!/usr/bin/env python3
"""The shipped configurations of nginx and haproxy, as they are, with Debian's own programs: an agent and the tools come through,
are seen under their own addresses, bring back 64 MiB, and outlive a reload of the proxy.
"""
import re
import unittest

from system_case import AGENT, FLEET, HOLDFAST, ROOT, VERSION, SystemCase

EXAMPLES = "/usr/share/doc/holdfast-backend/examples/proxies"
MIB = 64


def settings(text):
    """The lines of an example, by section."""
    section, out = "", {}
    for line in text.splitlines():
        if found := re.match(r"\[(\w+)\]", line):
            section = found[1]
        elif line and not line.startswith("#"):
            out.setdefault(section, []).append(line)
    return out


class ProxyCase(SystemCase):
    def behind_proxy(self):
        """A backend as holdfastd-behind-proxy.toml has it."""
        config = self.system.path(f"{FLEET}/server/holdfastd.toml")
        text = config.read_text()
        for section, lines in settings((ROOT / "packaging/proxies/holdfastd-behind-proxy.toml").read_text()).items():
            if f"[{section}]" not in text:
                text += f"\n[{section}]\n"
            for line in lines:
                key = line.split(" = ")[0]
                text = re.sub(rf"(?ms)(^\[{section}\]$[^\[]*?)^{key} = [^\n]*\n", r"\1", text)
                text = text.replace(f"[{section}]\n", f"[{section}]\n{line}\n")
        config.write_text(text)
        self.system.run(f"holdfastd check-config --dir {FLEET}")
        self.start_backend()

    def through(self):
        """What is asked of each proxy."""
        agent = self.through_query()
        self.through_large(agent)
        self.address(agent)
        self.reload(agent)

    def through_query(self):
        self.bundle("/root/bundle")
        self.system.run(f"dpkg -i /root/{AGENT.format(VERSION)}")
        agent = self.system.run("holdfast-agent enrol --bundle /root/bundle").strip()
        self.system.run("invoke-rc.d holdfast-agent start")
        self.wait_online(agent)
        self.assertEqual(self.one(agent), [{"one": 1}])
        return agent

    def through_large(self, agent):
        self.system.run(f"dd if=/dev/urandom of=/root/large bs=1M count={MIB} 2>/dev/null")
        self.system.run(f"rm -rf /tmp/got && {HOLDFAST} get {agent} /root/large -d /tmp/got")
        sums = self.system.run("cat /root/large | sha256sum; find /tmp/got -type f -exec cat {} + | sha256sum").split()
        self.assertEqual(sums[0], sums[2])

    def address(self, agent):
        """The client's own address and port, not one of the proxy's towards the backend."""
        seen = self.agents()[agent]["address"]
        ours = self.system.run("ss -tnH state established '( dport = :8443 )'")
        local = [line.split()[2] for line in ours.splitlines()]
        self.assertIn(seen, local, ours)

    def reload(self, agent):
        before = self.agents()[agent]["epoch"]
        self.do_reload()
        self.assertEqual(self.one(agent), [{"one": 1}])
        self.assertEqual(self.agents()[agent]["epoch"], before, "the reload cut the link")
        self.system.run("invoke-rc.d holdfast-agent restart")  # and the new process takes links
        self.wait_online(agent)
        self.assertEqual(self.one(agent), [{"one": 1}])


class NginxTest(ProxyCase):
    def do_reload(self):
        self.system.run("nginx -s reload")

    def test_nginx_ends_tls(self):
        self.backend(start=False)
        self.system.run(f"cp {EXAMPLES}/nginx.conf /etc/nginx/nginx.conf && nginx -t")
        self.behind_proxy()
        self.system.run("nginx")
        self.through()


class HaproxyTest(ProxyCase):
    def start(self):
        # It wants two descriptors a link, for 200,000 links; where nobody may have so many, fewer links.
        most = int(self.system.run("ulimit -Hn").replace("unlimited", "1000000"))
        if most < 400100:
            self.system.run(f"sed -i 's/^  maxconn 200000/  maxconn {(most - 100) // 2}/' /etc/haproxy/haproxy.cfg")
        self.system.run("haproxy -q -f /etc/haproxy/haproxy.cfg -D -p /run/haproxy.pid")

    def do_reload(self):
        self.system.run("haproxy -q -f /etc/haproxy/haproxy.cfg -D -p /run/haproxy.pid -sf $(cat /run/haproxy.pid)")

    def test_haproxy_ends_tls(self):
        self.backend(start=False)
        tls = f"{FLEET}/server/tls"
        self.system.run(f"umask 077; cat {tls}/server.crt {tls}/server.key > /etc/haproxy/holdfast.pem")
        self.system.run(f"cp {EXAMPLES}/haproxy.cfg /etc/haproxy/haproxy.cfg && haproxy -c -f /etc/haproxy/haproxy.cfg")
        self.behind_proxy()
        self.start()
        self.through()

    def test_haproxy_lets_tls_through(self):
        self.backend(start=False)
        self.system.run(f"sed 's/ ssl crt [^ ]*//' {EXAMPLES}/haproxy.cfg > /etc/haproxy/haproxy.cfg")
        config = self.system.path(f"{FLEET}/server/holdfastd.toml")
        text = config.read_text().replace(":8443\"\n", ":18443\"\n").replace(":8444\"\n", ":18444\"\n")
        text = text.replace("wss://localhost:18443", "wss://localhost:8443")
        config.write_text(text + '\n[proxies]\ntrusted = ["127.0.0.1"]\n')
        self.start_backend()
        self.start()
        self.through()


if __name__ == "__main__":
    unittest.main(verbosity=2)
