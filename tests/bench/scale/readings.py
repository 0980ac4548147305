"""What the system says about processes and the kernel's memory, for the scale run."""
import os
import pathlib
import platform

TICKS = os.sysconf("SC_CLK_TCK")


def meminfo():
    """Bytes, by the names of proc(5)."""
    out = {}
    for line in pathlib.Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        name, value = line.split(":")
        out[name] = int(value.split()[0]) * 1024
    return out


def memory_used(info=None):
    """All that is neither free nor the page cache's: slab, tmpfs and sockets count."""
    info = info or meminfo()
    return info["MemTotal"] - info["MemFree"] - info["Buffers"] - info["Cached"] + info["Shmem"]


def cpu_seconds(pid):
    """User and system time of one process."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    fields = text[text.rindex(")") + 2:].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid):
    """(private, Pss) in bytes."""
    values = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]:
        name, value = line.split(":")
        values[name] = int(value.split()[0]) * 1024
    return values["Private_Clean"] + values["Private_Dirty"], values["Pss"]


def socket_memory():
    """Bytes that the kernel holds for TCP, on this machine: what is sent and not read."""
    line = next(line for line in open("/proc/net/sockstat", encoding="utf-8") if line.startswith("TCP:"))
    return int(line.split()[line.split().index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE")


def net_counters():
    """ListenOverflows and the like: a run in which they grew has met the kernel's limits, not ours."""
    lines = pathlib.Path("/proc/net/netstat").read_text(encoding="utf-8").splitlines()
    out = {}
    for names, values in zip(lines[::2], lines[1::2]):
        out.update(zip(names.split()[1:], map(int, values.split()[1:])))
    return {name: out.get(name, 0) for name in ("ListenOverflows", "ListenDrops", "TCPTimeouts")}


def sysctl(name):
    path = pathlib.Path("/proc/sys") / name.replace(".", "/")
    return path.read_text(encoding="utf-8").strip().replace("\t", " ") if path.exists() else None


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                if line.startswith("model name")), platform.machine())
    gib = meminfo()["MemTotal"] / 2**30
    return f"{cpu} x{os.cpu_count()}, {gib:.0f} GiB, Linux {platform.release()}"
