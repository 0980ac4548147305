"""StackTest: a unittest with one Stack for the whole class, and its logs when something fails."""
import sys
import unittest

from .stack import Stack


class StackTest(unittest.TestCase):
    gateways = 1
    keys = ()
    redis_users = ""
    descriptors = None
    backend_env = {}

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(cls.gateways, cls.keys)
        cls.stack.redis_users = cls.redis_users
        cls.stack.descriptors = cls.descriptors
        cls.stack.backend_env = cls.backend_env
        cls.addClassCleanup(cls.stack.stop)
        try:
            cls.stack.init().start()
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


def main():
    unittest.main(verbosity=2)
