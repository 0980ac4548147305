"""Trend: does a size of a process grow with time? A straight line through its samples, with its error.

    Trend([(seconds, value), ...]).an_hour +- .error_an_hour; .grown() over all of it

The error counts neighbours that resemble each other (a heap that stays where it went) as fewer samples than they
are. Limits: it wants FEWEST samples; what only settles is cut off by the caller.
"""
import math

FEWEST = 8


class Trend:
    def __init__(self, points):
        assert len(points) >= FEWEST, f"{len(points)} samples are too few for a slope"
        n = len(points)
        mean_x = sum(x for x, _ in points) / n
        mean_y = sum(y for _, y in points) / n
        below = sum((x - mean_x) ** 2 for x, _ in points)
        self.mean, self.span = mean_y, points[-1][0] - points[0][0]
        self.slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / below
        rest = [y - mean_y - self.slope * (x - mean_x) for x, y in points]
        squares = sum(r * r for r in rest)
        alike = max(0.0, sum(a * b for a, b in zip(rest, rest[1:])) / squares) if squares else 0.0
        # Effective samples of a series whose neighbours correlate by `alike`; never fewer than three.
        free = max(1.0, n * (1 - alike) / (1 + alike) - 2)
        self.error = math.sqrt(squares / free / below)

    @property
    def an_hour(self):
        return self.slope * 3600

    @property
    def error_an_hour(self):
        return self.error * 3600

    def grown(self):
        """Over the span of the samples."""
        return self.slope * self.span

    def is_certain(self):
        """Upwards, by more than three errors."""
        return self.slope > 3 * self.error
