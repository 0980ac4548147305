#!/usr/bin/env python3
"""An agent whose only way out is an HTTP proxy: it enrols, answers and comes back through it.

The servers' name is known to the proxy alone (.invalid never resolves), as in a network without DNS for
the world outside.
"""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import connect_proxy  # noqa: E402
from connect_proxy import ConnectProxy  # noqa: E402
from harness import stack as stack_module  # noqa: E402
from harness.case import StackTest, main  # noqa: E402
from harness.procs import wait_for  # noqa: E402
from harness.stack import Agent, Stack  # noqa: E402

NAME = "hq.invalid"


class FarStack(Stack):
    def init_argv(self, scheme="wss"):
        argv = super().init_argv(scheme)
        argv[argv.index("--server") + 1] = f"{scheme}://{NAME}:{self.agent_port}"
        return argv


class ProxyTest(StackTest):
    @classmethod
    def setUpClass(cls):
        kept = sys.modules["harness.case"].Stack
        sys.modules["harness.case"].Stack = FarStack
        cls.addClassCleanup(setattr, sys.modules["harness.case"], "Stack", kept)
        super().setUpClass()

    def proxy(self, **how):
        proxy = ConnectProxy(reach=("127.0.0.1", self.stack.agent_port), **how)
        proxy.__enter__()
        self.addCleanup(proxy.__exit__)
        return proxy

    def agent(self, name):
        agent = self.stack.agents[name] = Agent(self.stack, name)
        self.addCleanup(agent.stop)
        return agent

    def routes(self, agent):
        return (agent.state / "routes").read_text()

    def test_enrols_and_answers_through_it_and_comes_back_after_a_restart(self):
        proxy = self.proxy(login=("ada", "s3cr3t"))
        agent = self.agent("inside")
        url = f"http://ada:s3cr3t@127.0.0.1:{proxy.port}"
        agent.enrol(self.stack.bundle(), more=["--proxy", url])
        self.assertEqual(self.routes(agent), f"proxy {url}\n")
        self.assertEqual((agent.state / "routes").stat().st_mode & 0o777, 0o600)
        agent.start()
        self.stack.wait_online(agent)
        self.assertEqual(self.stack.holdfast("exec", agent.id[:12], "--", "echo", "hi",
                                             output=None).text, "hi\n")
        data = self.stack.holdfast("exec", agent.id[:12], "--", "head", "-c", "3000000", "/dev/zero",
                                   output=None).out
        self.assertEqual(len(data), 3000000)
        self.assertEqual({ask[:2] for ask in proxy.asked}, {(NAME, self.stack.agent_port)})
        agent.stop()
        agent.start()
        self.stack.wait_online(agent)
        shown = self.stack.run("holdfast-agent", "status", "--state", agent.state).text
        self.assertIn(f"proxy      http://ada:***@127.0.0.1:{proxy.port}\n", shown)
        self.assertNotIn("s3cr3t", shown + agent.log.read_text())

    def test_proxies_that_do_not_open_the_tunnel(self):
        for how in ({"login": ("ada", "right")}, {"answer": connect_proxy.REFUSE},
                    {"answer": connect_proxy.GARBAGE}, {"answer": connect_proxy.CUT}):
            with self.subTest(how=how):
                proxy = self.proxy(**how)
                agent = self.agent(f"shut-{proxy.port}")
                reply = agent.enrol(self.stack.bundle(), expect=3, more=[
                    "--timeout", "4", "--proxy", f"http://ada:wr0ng@127.0.0.1:{proxy.port}"])
                self.assertIn("cannot reach", reply.err)
                self.assertTrue(proxy.asked)
                self.assertNotIn("wr0ng", reply.err)

    def test_a_proxy_that_cuts_costs_no_command(self):
        proxy = self.proxy(cut_after=20_000)  # of what comes from the server, once and again
        agent = self.agent("cut")
        agent.enrol(self.stack.bundle(), more=["--proxy", f"http://127.0.0.1:{proxy.port}"])
        agent.start()
        self.stack.wait_online(agent)
        for number in range(20):
            said = self.stack.holdfast("exec", agent.id[:12], "--", "echo", f"{number}" * 500,
                                       output=None).text
            self.assertEqual(said, f"{number}" * 500 + "\n")

    def test_the_environment_counts_only_when_asked_for(self):
        proxy = self.proxy()
        agent = self.agent("env")
        env = self.stack.env
        self.stack.env = lambda **more: env(https_proxy=f"http://127.0.0.1:{proxy.port}/", **more)
        self.addCleanup(setattr, self.stack, "env", env)
        agent.enrol(self.stack.bundle(), expect=3, more=["--timeout", "3"])
        self.assertEqual(proxy.asked, [])
        agent.enrol(self.stack.bundle(), more=["--proxy", "env"])
        self.assertEqual(self.routes(agent), "proxy env\n")

    def test_run_changes_the_proxy_and_none_ends_it(self):
        proxy = self.proxy()
        agent = self.agent("moved")
        agent.enrol(self.stack.bundle(), more=["--proxy", f"http://127.0.0.1:{proxy.port}"])
        done = self.stack.run("holdfast-agent", "run", "--state", agent.state, "--proxy", "socks5://x:1",
                              expect=2)
        self.assertIn("must begin with http://", done.err)
        agent.stop()
        self.start_with(agent, "--proxy", "none")
        wait_for(lambda: self.routes(agent) == "", 10, "the proxy is still there")
        agent.stop()
        # The address where the server was last: found by hand here, by the agent in a network with DNS.
        (agent.state / "routes").write_text(f"address wss://{NAME}:{self.stack.agent_port} 127.0.0.1\n")
        agent.start()
        self.stack.wait_online(agent)
        self.assertIn(f'name_unknown host="{NAME}" dialled=127.0.0.1', agent.log.read_text())

    def start_with(self, agent, *more):
        """As Agent.start(), with more arguments, and not waiting for a link."""
        with open(agent.log, "ab") as log:
            agent.process = subprocess.Popen(
                [stack_module.BIN / "holdfast-agent", "run", "--state", agent.state, *more],
                env=self.stack.env(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True)


if __name__ == "__main__":
    main()
