"""A straight line through points, and how straight they are."""


def fit(points):
    """(slope, intercept, R^2) of the least-squares line through (x, y) pairs; None for fewer than three."""
    if len(points) < 3:
        return None
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    xx = sum((x - mean_x) ** 2 for x, _ in points)
    xy = sum((x - mean_x) * (y - mean_y) for x, y in points)
    yy = sum((y - mean_y) ** 2 for _, y in points)
    if xx == 0 or yy == 0:
        return None
    slope = xy / xx
    return slope, mean_y - slope * mean_x, xy * xy / (xx * yy)
