"""Stacks of `perf script`, folded by who ran and in what; a picture of them, and the functions that took most.

A frame is as wide as its share of all samples; below is who called. The picture is one SVG that needs nothing else: a frame's
name and share show when the pointer rests on it.
"""
import collections
import html
import re

WIDTH, ROW, TOP = 1200, 17, 24
LEAST = 0.0005       # of all samples: narrower frames are left out
LETTER = 6.6         # pixels of one, at 11
COLOURS = {"kernel": "#f4a65c", "ours": "#7fb8d8", "library": "#a8cf8e"}
HEAD = re.compile(r"^\S.*?\s+(\d+)(?:/\d+)?\s+[\d.]+:\s+(\d+)?")


def short(symbol, place):
    """A name without addresses, arguments and what is in angle brackets."""
    if symbol.startswith("[unknown]"):
        return f"[{place.rsplit('/', 1)[-1]}]"
    symbol = re.sub(r"\+0x[0-9a-f]+$", "", symbol).replace("(anonymous namespace)::", "").replace("holdfast::", "")
    depth, kept = 0, []
    for at, letter in enumerate(symbol):
        if letter == "<" and not symbol[:at].endswith("operator"):
            depth += 1
        if depth == 0:
            kept.append(letter)
        if letter == ">" and depth:
            depth -= 1
    return "".join(kept).split("(")[0].strip() or symbol


def kind(place):
    if "kernel" in place or place == "[unknown]":
        return "kernel"
    return "ours" if "/holdfast" in place else "library"


def fold(lines, names):
    """{((name, kind), ...) from the outermost: samples}; `names` says who a process is."""
    stacks, process, frames = collections.Counter(), None, []

    def end():
        if process is not None and frames:
            stacks[((names.get(process, str(process)), "ours"), *reversed(frames))] += 1

    for line in lines:
        line = line.rstrip("\n")
        if not line:
            end()
            process, frames = None, []
        elif head := HEAD.match(line):
            process, frames = int(head[1]), []
        elif process is not None and " (" in line:
            words, place = line.strip().rsplit(" (", 1)
            place = place.rstrip(")")
            frame = (short(words.split(" ", 1)[1], place), kind(place))
            if not frames or frames[-1] != frame or not frame[0].startswith("["):
                frames.append(frame)
    end()
    return stacks


def inclusive(stacks):
    """{process: Counter of function: samples in it and in what it called}"""
    found = collections.defaultdict(collections.Counter)
    for stack, samples in stacks.items():
        for name in {name for name, _ in stack}:
            found[stack[0][0]][name] += samples
    return found


def svg(stacks, title):
    total = sum(stacks.values())
    tree = {}
    for stack, samples in sorted(stacks.items()):
        level = tree
        for frame in stack:
            entry = level.setdefault(frame, [0, {}])
            entry[0] += samples
            level = entry[1]
    boxes = []
    deepest = draw(tree, 0, 0, total, boxes)
    height = TOP + (deepest + 1) * ROW + 10
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" font-size="11">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             f'<text x="6" y="16">{html.escape(title)}</text>']
    for name, colour, depth, left, samples in boxes:
        x, width = left / total * WIDTH, samples / total * WIDTH
        y = height - (depth + 1) * ROW - 5
        says = html.escape(f"{name}: {samples / total:.2%}, {samples} samples")
        letters = int((width - 4) / LETTER)
        label = html.escape(name if len(name) <= letters else name[:letters - 2] + "..") if letters > 3 else ""
        parts.append(f'<g><title>{says}</title><rect x="{x:.1f}" y="{y}" width="{max(width - 0.4, 0.2):.1f}" height="{ROW - 1}" '
                     f'fill="{COLOURS[colour]}"/><text x="{x + 2:.1f}" y="{y + 12}">{label}</text></g>')
    return "\n".join([*parts, "</svg>", ""])


def draw(level, depth, left, total, boxes):
    deepest = depth
    for (name, colour), (samples, below) in sorted(level.items()):
        if samples >= LEAST * total:
            boxes.append((name, colour, depth, left, samples))
            deepest = max(deepest, draw(below, depth + 1, left, total, boxes))
        left += samples
    return deepest
