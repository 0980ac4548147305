"""Mutants: builds that lack one protection each; the laboratory must notice every one.

A mutant is a patch in tests/faults/mutants/ with a head of three lines:

    Removes: what the product no longer does
    Rows:    the row that must notice, and its options
    Expect:  a regular expression that must be found in what the row says

They are built one after the other in one copy of the tree (build/mutants/tree), so that each costs
what its own change costs. One that survives is a failure: of the laboratory, not of the product.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

from .report import ROOT

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "mutants"
PLACE = ROOT / "build/mutants"
TREE = PLACE / "tree"
TARGETS = ("holdfast", "holdfastd", "holdfast-agent", "holdfast-agent-dyn", "holdfast-fleet",
           "holdfast-mark", "fault_shim", "clock_shim", "malloc_shim", "poison_shim")
ROW_SECONDS = 900


class Mutant:
    def __init__(self, path):
        self.path, self.name = path, path.stem
        head = dict(re.findall(r"(?m)^(Removes|Rows|Expect):\s*(.*)$", path.read_text()))
        assert set(head) == {"Removes", "Rows", "Expect"}, f"{path}: its head is not complete"
        self.removes, self.rows, self.expect = head["Removes"], head["Rows"], head["Expect"]

    def patch(self, *options, tree=TREE):
        return subprocess.run(["patch", "-p1", "--quiet", "--forward", *options, "-d", tree, "-i",
                               self.path], capture_output=True, check=False)


def all_mutants():
    return [Mutant(path) for path in sorted(FOLDER.glob("*.patch"))]


def all_apply():
    """To this tree, which stays as it is: one that does not shows nothing, and nobody would see it for weeks."""
    good = True
    for mutant in all_mutants():
        done = mutant.patch("--dry-run", tree=ROOT)
        if done.returncode != 0:
            print(f"{mutant.name}: does not apply: {(done.stdout + done.stderr).decode().strip()}")
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


def try_one(mutant, environment):
    """(is it noticed, by what)"""
    copy_tree()
    applied = mutant.patch()
    if applied.returncode != 0:
        return False, f"does not apply: {(applied.stdout + applied.stderr).decode().strip()}"
    build(environment)
    run = subprocess.run(
        [sys.executable, TREE / "tests/faults/run.py", "--rows", *shlex.split(mutant.rows), "--seed", "7"],
        env={**environment, "HOLDFAST_BIN": str(TREE / "build/dev/bin"),
             "HOLDFAST_FAULTS_OUT": str(PLACE)}, capture_output=True, check=False,
        timeout=ROW_SECONDS)
    said = run.stdout.decode(errors="replace")
    why = [line for line in said.splitlines() if re.search(mutant.expect, line)
           and re.search(r"Error|I\d:", line)]
    if run.returncode == 0:
        return False, "survived"
    if not why:
        return False, f"failed for another reason: {said[-600:]}"
    return True, why[0].strip()[:300]


def run_all(only=()):
    """True if every mutant is noticed. Prints a line each, and keeps them in build/mutants."""
    environment = {**os.environ, "CCACHE_BASEDIR": str(TREE), "CCACHE_NOHASHDIR": "1"}
    environment.pop("HOLDFAST_BIN", None)
    survived = []
    for mutant in all_mutants():
        if only and mutant.name not in only:
            continue
        began = time.monotonic()
        try:
            noticed, why = try_one(mutant, environment)
        except (AssertionError, subprocess.TimeoutExpired) as problem:
            noticed, why = False, str(problem)
        print(f"{mutant.name}: {'noticed' if noticed else 'SURVIVED'} by {mutant.rows} in"
              f" {time.monotonic() - began:.0f} s: {why}", flush=True)
        with open(PLACE / "mutants.txt", "a", encoding="utf-8") as file:
            file.write(f"{mutant.name}\t{noticed}\t{mutant.rows}\t{why}\n")
        if not noticed:
            survived.append(mutant.name)
    copy_tree()
    if survived:
        print(f"not noticed: {', '.join(survived)}", flush=True)
    return not survived
