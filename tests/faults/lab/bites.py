"""Bites: how often each fault truly hit. A fault that never did proves nothing."""
import collections


class Void(AssertionError):
    """The run shows nothing: a fault that it is about never happened."""


class Bites:
    def __init__(self):
        self.counts = collections.Counter()

    def hit(self, name, count=1):
        self.counts[name] += count

    def require(self, names):
        never = [name for name in names if self.counts[name] == 0]
        if never:
            raise Void(f"void: never bit: {', '.join(never)}; what did: {dict(self.counts)}")
