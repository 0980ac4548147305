"""Slack: by how much this machine is slower for us than an idle one, right now.

Figures with seconds in them are promises about a machine that runs nothing else. The tests share
theirs; a bound is stretched by what is measured here, and the factor is printed with the figure.
"""
import time

MOST = 6.0
CPU_SECONDS = 0.02


def _once():
    wall, cpu = time.monotonic(), time.process_time()
    while time.process_time() - cpu < CPU_SECONDS:
        sum(range(2000))
    return (time.monotonic() - wall) / CPU_SECONDS


def slack():
    """1.0 on an idle machine; 3.0 if we get a third of a core."""
    return min(MOST, max(1.0, *(_once() for _ in range(3))))


def bound(lab, seconds):
    """`seconds`, stretched; notes the factor among the row's figures."""
    factor = slack()
    lab.stretched = max(lab.stretched, factor)
    return seconds * (factor if factor > 1.3 else 1.0)
