"""Straight lines and planes through points, and how straight they are."""


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


def solve(matrix, values):
    """x of matrix * x = values, by Gauss with pivots; None if there is not one."""
    rows = [[*row, value] for row, value in zip(matrix, values)]
    size = len(rows)
    for i in range(size):
        pivot = max(range(i, size), key=lambda k, i=i: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        if abs(rows[i][i]) < 1e-9:
            return None
        for k in range(i + 1, size):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i])]
    x = [0.0] * size
    for i in reversed(range(size)):
        x[i] = (rows[i][size] - sum(rows[i][j] * x[j] for j in range(i + 1, size))) / rows[i][i]
    return x


def fit_plane(points):
    """([slope of each x], constant, R^2) of the least-squares plane through ((x1, x2, ...), y); None for too few."""
    if not points or len(points) < len(points[0][0]) + 2:
        return None
    scale = [max(abs(xs[i]) for xs, _ in points) or 1 for i in range(len(points[0][0]))]
    rows = [[*(x / s for x, s in zip(xs, scale)), 1] for xs, _ in points]
    ys = [y for _, y in points]
    columns = list(zip(*rows))
    found = solve([[sum(a * b for a, b in zip(one, other)) for other in columns] for one in columns],
                  [sum(a * y for a, y in zip(column, ys)) for column in columns])
    mean = sum(ys) / len(ys)
    spread = sum((y - mean) ** 2 for y in ys)
    if found is None or spread == 0:
        return None
    missed = sum((sum(a * b for a, b in zip(row, found)) - y) ** 2 for row, y in zip(rows, ys))
    return [slope / s for slope, s in zip(found, scale)], found[-1], 1 - missed / spread


def server_cpu(rounds):
    """What the server's CPU time went into: agents that connected, beats and commands up to each round's last
    welcome. All three run at once, so none of them can be told from the total alone."""
    points, commands = [], 0
    for row in rounds:
        points.append(((row["agents"], row["figures"]["beats_answered"], commands),
                       sum(process["cpu_s"] for process in row["server"].values())))
        commands += row["commands"]["count"]
    plane = fit_plane(points)
    if plane is None:
        return None
    (connect, beat, command), _, straight = plane
    return {"connect_us": round(connect * 1e6, 1), "beat_us": round(beat * 1e6, 1),
            "command_us": round(command * 1e6, 1), "r2": straight}
