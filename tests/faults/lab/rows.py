"""Row: one line of the fault table (docs/faults.md) that can be run.

A row file (rows_*.py beside this package) makes Rows and registers them; the runner finds them all.
"""
import dataclasses
import importlib
import pathlib
from typing import Callable

TIERS = ("commit", "nightly", "release", "soak")


@dataclasses.dataclass(frozen=True)
class Spec:
    """What stack a row needs; rows with equal specs share one. `keys`: of holdfastd.toml;
    `program`: another build of the agent; `disks`: (("agent", "backend" or "redis", "loop" or "tmpfs", MiB),
    ...), under the state of all agents, of the backend or of its Redis (lab/disk.py); `proxy`: agents reach the backend through lab.proxy;
    `prepare`: "plan" runs the backend with the shim (lab/shim.py), "poison" with one that crashes gateways over
    POISON (lab.py), "net" puts the agents behind a wire of their own (rows_net.py), "names" gives them a
    name server that can die (lab/names.py), "front" puts one that can lie before Redis
    (proxy/redis_front.py); `redis`: "MS POLICY", the embedded Redis keeps an append-only
    file with that appendfsync policy on a disk whose fsync takes so many ms."""
    gateways: int = 2
    agents: int = 4
    keys: tuple = ()
    program: str = "holdfast-agent"
    disks: tuple = ()
    proxy: bool = False
    prepare: str = ""
    redis: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """
    run(lab, n) -> {figure: value}; raises AssertionError when the figure is not reached.
    n:         how often, per tier; a tier that is not named leaves the row out
    must_bite: what must have been hit at least once, else the run is void
    spec:      None: the row makes its own world and gets Own(seed) instead of a Lab
    failing:   why it is known to fail (a defect of the product, reported); shown in the table
    """
    id: str
    fault: str
    figure: str
    n: dict
    run: Callable
    must_bite: tuple = ()
    spec: Spec | None = Spec()
    failing: str = ""


REGISTRY = {}


def register(**fields):
    """As a decorator of the row's function."""
    def add(function):
        row = Row(run=function, **fields)
        assert row.id not in REGISTRY, f"row {row.id} is there twice"
        assert set(row.n) <= set(TIERS), f"row {row.id}: {row.n}"
        REGISTRY[row.id] = row
        return function
    return add


def load_all():
    for path in sorted(pathlib.Path(__file__).resolve().parents[1].glob("rows_*.py")):
        importlib.import_module(path.stem)
    return REGISTRY
