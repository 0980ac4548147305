"""StackTest: a unittest with one Stack for the whole class, and its logs when something fails. AgentTest: one agent, asked."""
import sys
import unittest

from .stack import Stack


class StackTest(unittest.TestCase):
    gateways = 1
    keys = ()
    redis_users = ""
    descriptors = None
    backend_env = {}
    init_options = ()

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(cls.gateways, cls.keys)
        cls.stack.redis_users = cls.redis_users
        cls.stack.descriptors = cls.descriptors
        cls.stack.backend_env = cls.backend_env
        cls.addClassCleanup(cls.stack.stop)
        try:
            cls.stack.init(*cls.init_options).start()
            cls.set_up_agents()
        except BaseException:
            print(cls.stack.logs(), file=sys.stderr)
            raise

    @classmethod
    def set_up_agents(cls):
        """Adds what the tests of this class share."""

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(f"logs after {self.id()}:\n{self.stack.logs()}", file=sys.stderr)


class AgentTest(StackTest):
    """Of what one agent is asked: cls.agent."""

    @classmethod
    def set_up_agents(cls):
        cls.agent = cls.stack.add_agent("a")

    def ask(self, verb, *argv, status=0):
        """One target: its object."""
        reply = self.stack.holdfast(verb, self.agent.id, *argv, expect=status)
        answers = reply.json()
        self.assertEqual(len(answers), 1, reply)
        return answers[0]

    def fails(self, failure, words, verb, *argv):
        """Ran and failed: exit 1, the catalogued reason, and a message that names the thing."""
        answer = self.ask(verb, *argv, status=1)
        self.assertEqual(answer["failure"], failure, answer)
        for word in words:
            self.assertIn(word, answer["message"])
        return answer


class FilesTest(AgentTest):
    """Each test has a directory of its own: self.files."""

    def setUp(self):
        super().setUp()
        self.files = self.stack.dir / self.id().rsplit(".", 1)[-1]
        self.files.mkdir()


def main():
    unittest.main(verbosity=2)
