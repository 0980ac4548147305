"""Mutants: builds that lack one protection each; the laboratory must notice every one.

A mutant is a patch in tests/faults/mutants/ with a head of four lines:

    Removes: what the product no longer does
    Breaks:  the invariants (docs/faults.md) that it keeps no longer; every one has a mutant
    Rows:    the row that must notice, and its options
    Expect:  a regular expression that must be found in what the row says

They are built one after the other in one copy of the tree (build/mutants/tree), so that each costs
what its own change costs. One that survives is a failure: of the laboratory, not of the product.
The same rows must pass on the copy without a patch, which is the mutant "intact": else they would show nothing.
"""
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

from .report import INVARIANTS, ROOT

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "mutants"
PLACE = ROOT / "build/mutants"
TREE = PLACE / "tree"
LINES = PLACE / "mutants.txt"
INTACT = "intact"
SEED = "7"
TARGETS = ("holdfast", "holdfastd", "holdfast-agent", "holdfast-agent-dyn", "holdfast-fleet",
           "holdfast-mark", "fault_shim", "clock_shim", "malloc_shim", "poison_shim")
ROW_SECONDS = 900


class Mutant:
    """`patch_id`: of its text; a result that was found with another text is none."""

    def __init__(self, path):
        self.path, self.name = path, path.stem
        text = path.read_text()
        head = dict(re.findall(r"(?m)^(Removes|Breaks|Rows|Expect):\s*(.*)$", text))
        assert {"Removes", "Rows", "Expect"} <= set(head), f"{path}: its head is not complete"
        self.removes, self.rows, self.expect = head["Removes"], head["Rows"], head["Expect"]
        self.breaks = re.findall(r"I\d", head.get("Breaks", ""))
        self.patch_id = hashlib.sha256(text.encode()).hexdigest()[:12]

    def patch(self, *options, tree=TREE):
        return subprocess.run(["patch", "-p1", "--quiet", "--forward", *options, "-d", tree, "-i",
                               self.path], capture_output=True, check=False)


def all_mutants():
    return [Mutant(path) for path in sorted(FOLDER.glob("*.patch"))]


def all_apply():
    """To this tree, which stays as it is: one that does not shows nothing, and nobody would see it for weeks.
    Also: no invariant is without one."""
    good = True
    broken = set()
    for mutant in all_mutants():
        broken |= set(mutant.breaks)
        done = mutant.patch("--dry-run", tree=ROOT)
        if done.returncode != 0:
            print(f"{mutant.name}: does not apply: {(done.stdout + done.stderr).decode().strip()}")
            good = False
    for missing in sorted(INVARIANTS - broken):
        print(f"{missing}: no mutant breaks it")
        good = False
    return good


def sh(*words, **how):
    done = subprocess.run([str(w) for w in words], capture_output=True, check=False, **how)
    if done.returncode != 0:
        raise AssertionError(f"{words[0]} failed: {(done.stdout + done.stderr).decode()[-3000:]}")


def copy_tree():
    """What git knows, as it lies here; what is equal keeps its time, so that only changes are built."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=True)
    names = [n for n in listed.stdout.decode().split("\0") if n and (ROOT / n).is_file()]
    for name in names:
        source, copy = ROOT / name, TREE / name
        if copy.exists() and copy.read_bytes() == source.read_bytes():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
        shutil.copymode(source, copy)
    for gone in set(known_files()) - set(names):
        (TREE / gone).unlink()
    if not (TREE / "build/sources").exists():
        shutil.copytree(ROOT / "build/sources", TREE / "build/sources")


def known_files():
    for path in TREE.rglob("*"):
        name = path.relative_to(TREE).as_posix()
        if path.is_file() and not name.startswith("build/") and "__pycache__" not in name:
            yield name


def build(environment):
    launcher = [f"-DCMAKE_{c}_COMPILER_LAUNCHER=ccache" for c in ("C", "CXX")]
    if not (TREE / "build/dev/build.ninja").exists():
        have = subprocess.run(["which", "ccache"], capture_output=True, check=False).returncode == 0
        sh("cmake", "--preset", "dev", *(launcher if have else ()), cwd=TREE, env=environment)
    sh("cmake", "--build", "--preset", "dev", "--target", *TARGETS, cwd=TREE, env=environment)


def run_row(rows, environment):
    """(status, what it said) of one line of rows and options"""
    try:
        run = subprocess.run(
            [sys.executable, TREE / "tests/faults/run.py", "--rows", *shlex.split(rows), "--seed", SEED],
            env={**environment, "HOLDFAST_BIN": str(TREE / "build/dev/bin"),
                 "HOLDFAST_FAULTS_OUT": str(PLACE)}, capture_output=True, check=False,
            timeout=ROW_SECONDS)
    except subprocess.TimeoutExpired as late:
        return 1, f"{(late.stdout or b'').decode(errors='replace')}\nno end after {ROW_SECONDS} s"
    return run.returncode, run.stdout.decode(errors="replace")


def try_one(mutant, environment):
    """(is it noticed, by what)"""
    copy_tree()
    applied = mutant.patch()
    if applied.returncode != 0:
        return False, f"does not apply: {(applied.stdout + applied.stderr).decode().strip()}"
    build(environment)
    status, said = run_row(mutant.rows, environment)
    (PLACE / f"said-{mutant.name}.log").write_text(said, encoding="utf-8")
    why = [line for line in said.splitlines() if re.search(mutant.expect, line)
           and re.search(r"Error|I\d:", line)]
    if status == 0:
        return False, "survived"
    if not why:
        return False, f"failed for another reason: {said[-600:]}"
    return True, why[0].strip()[:300]


def try_intact(wanted, environment):
    """Every row that the mutants name, on the copy without a patch."""
    copy_tree()
    build(environment)
    good = True
    for rows in sorted({mutant.rows for mutant in wanted}):
        began = time.monotonic()
        status, said = run_row(rows, environment)
        (PLACE / f"said-{INTACT}.log").write_text(said, encoding="utf-8")
        keep(INTACT, status == 0, rows, "-", "passed" if status == 0 else f"failed: {said[-600:]}", began)
        good = good and status == 0
    return good


def keep(name, is_good, rows, patch_id, why, began):
    verdict = {True: "ok", False: "FAILED"} if name == INTACT else {True: "noticed", False: "SURVIVED"}
    print(f"{name}: {verdict[is_good]} by {rows} in {time.monotonic() - began:.0f} s: {why}", flush=True)
    with open(LINES, "a", encoding="utf-8") as file:
        file.write("\t".join((name, str(is_good), rows, patch_id, " ".join(why.split()))) + "\n")


def run_all(only=()):
    """True if every mutant is noticed. Prints a line each, and keeps them in build/mutants."""
    environment = {**os.environ, "CCACHE_BASEDIR": str(TREE), "CCACHE_NOHASHDIR": "1"}
    environment.pop("HOLDFAST_BIN", None)
    every = all_mutants()
    unknown = set(only) - {INTACT, *(mutant.name for mutant in every)}
    if unknown:
        sys.exit(f"no such mutant: {', '.join(sorted(unknown))}")
    wanted = [m for m in every if not only or m.name in only]
    failed = []
    if (not only or INTACT in only) and not try_intact(wanted or every, environment):
        failed.append(INTACT)
    for mutant in wanted:
        began = time.monotonic()
        try:
            noticed, why = try_one(mutant, environment)
        except AssertionError as problem:  # does not build
            noticed, why = False, str(problem)
        keep(mutant.name, noticed, mutant.rows, mutant.patch_id, why, began)
        if not noticed:
            failed.append(mutant.name)
    copy_tree()
    if failed:
        print(f"not as it must be: {', '.join(failed)}", flush=True)
    return not failed


# --- the table -----------------------------------------------------------------------------------
def last_results():
    """{(name, rows, patch_id): (is it good, why)}, the latest of each"""
    if not LINES.exists():
        return {}
    lines = [line.split("\t") for line in LINES.read_text(encoding="utf-8").splitlines()]
    return {(name, rows, patch_id): (good == "True", why)
            for name, good, rows, patch_id, why in (line for line in lines if len(line) == 5)}


def table():
    """Empty if none of them was tried here."""
    results = last_results()
    if not results:
        return ""
    lines = ["| mutant | a build without | breaks | row | what noticed it |", "|---|---|---|---|---|"]
    for mutant in all_mutants():
        noticed, why = results.get((mutant.name, mutant.rows, mutant.patch_id), (False, "not run"))
        passed, _ = results.get((INTACT, mutant.rows, "-"), (False, ""))
        shown = why[:160].replace("|", "\\|") if noticed or why == "not run" else "**not noticed**"
        lines.append(f"| {mutant.name} | {mutant.removes} | {' '.join(mutant.breaks)} | {mutant.rows}"
                     f"{'' if passed else ' (not run on the intact build)'} | {shown} |")
    return "\n".join(lines)
