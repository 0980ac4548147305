"""The fault laboratory: real processes, marked commands, seeded faults, one checker.

    Lab (stack, load, faults, bites) -> row -> heal -> quiesce -> checker -> report

Python's standard library only, on top of tests/e2e/harness. One concept per file:

    stack.py     a Stack whose agents have programs of their own names, so that effects have an owner
    marks.py     marked commands: ids, arguments, the bytes that must come back, the effect files
    client.py    runs `holdfast` many times at once and keeps the client log (ok, fail, unknown)
    ledger.py    a copy of control's ledger, for reading
    checker.py   I1-I8 over all of the above
    bites.py     how often each fault truly hit
    faults.py    faults that need no privilege: kill, stop, flush
    shim.py      the LD_PRELOAD shim: environment and log
    slack.py     bounds in seconds on a machine that others use too
    disk.py      ext4 whose power is cut, tmpfs that is full; kernel.py: our own namespaces
    wire.py      a network between agents and backend; names.py: their name server
    trend.py     slopes of sizes, with their errors
    campaign.py  load and random kills, round after round
    rows.py      what a row is; rows_*.py beside this package hold them
    runner.py    runs rows on shared stacks, prints what repeats a failure
    report.py    JSON lines, and the table in docs/faults.md
"""
