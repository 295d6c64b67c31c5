"""Resource use of processes, read from Linux."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Returns the user and system CPU time of a process and its descendants, in seconds."""
    return sum(_process_seconds(process) for process in process_tree(pid))


def pss_mb(pid: int) -> float:
    """Returns the memory (PSS) of a process in MB. Shared memory is divided among its users."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def process_tree(pid: int) -> list[int]:
    """Returns a process and its descendants."""
    parents = {
        int(process_folder.name): parent_pid(int(process_folder.name))
        for process_folder in _processes()
    }
    pids = [pid]
    for pid_in_tree in pids:
        pids += [child for child, parent in parents.items() if parent == pid_in_tree]
    return pids


def parent_pid(pid: int) -> int:
    """Returns the parent process, or 0 if this process has ended."""
    fields = _stat_fields(pid)
    return int(fields[1]) if fields and fields[0] != "Z" else 0


def machine_description() -> str:
    """Describes this machine."""
    cpu = next(
        line.partition(": ")[2]
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    python, system = platform.python_version(), platform.system()
    return f"{os.cpu_count()} cores ({cpu}), {system} {platform.release()}, Python {python}"


def load_average() -> float:
    """Returns the load average of the last minute."""
    return os.getloadavg()[0]


def _processes() -> list[Path]:
    return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _process_seconds(pid: int) -> float:
    """Returns the CPU time of a process and its ended children, in seconds."""
    fields = _stat_fields(pid)
    return sum(map(int, fields[11:15])) / CLOCK_TICKS if fields else 0.0


def _stat_fields(pid: int) -> list[str]:
    """Returns the fields after the name, which may contain spaces. Empty for an ended process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
