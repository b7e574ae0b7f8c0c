"""How long each command takes and how much memory it holds, as a user would see it.

Run by `make bench`. Each command is a process of its own, with everything it starts counted in;
the commands take turns within a repetition, so that a slow minute of the machine hits all of them
alike. The files go to a folder that is removed afterwards; the released weights are used, so
`report` is what a fresh clone does once its dependencies are installed.
"""

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from report_table import Column, Table

from problemset import workspace

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.005, 0.1
COMMANDS = {
    "help": "latentwalk --help",
    "doctor": "latentwalk doctor",
    "data": "latentwalk data",
    "sample": "latentwalk sample cgan --count 10000 --out {out}/digits.npz",
    "report": "latentwalk render",
    "again": "latentwalk render --engine embedded",
    "test": "python tools/run_tests.py",
    "train": "latentwalk train gan --steps 100 --out {out}/gan.safetensors",
}
AFTER = {"again": "report"}
"""What is run first, without being measured, so that the command finds its files."""
COLUMNS = {
    "command": Column("command"),
    "seconds": Column("seconds", ".1f"),
    "lowest": Column("lowest", ".1f"),
    "highest": Column("highest", ".1f"),
    "mebibytes": Column("peak MiB", ".0f"),
}
QUICK = [name for name in COMMANDS if name != "test"]


@dataclass(frozen=True)
class Run:
    """One run of a command."""

    seconds: float
    peak_bytes: int
    """Largest sum over its processes at any moment; a page that several share counts once."""


def tree_bytes(process: psutil.Process) -> int:
    """Memory that a process and its descendants hold now, in bytes."""
    total = 0
    for member in [process, *process.children(recursive=True)]:
        try:
            memory = member.memory_full_info()
            total += getattr(memory, "pss", memory.rss)  # only Linux counts shared pages once
        except psutil.Error:  # it has just ended
            continue
    return total


def measure(command: list[str], environment: dict[str, str]) -> Run:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    start, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        watched = psutil.Process(child.pid)
        pause = FIRST_PAUSE_SECONDS  # a short command is to be seen more than once
        while child.poll() is None:
            peak = max(peak, tree_bytes(watched))
            time.sleep(pause)
            pause = min(1.2 * pause, LONGEST_PAUSE_SECONDS)
        seconds = time.perf_counter() - start
        if child.returncode:
            said.seek(0)
            last = said.read()[-500:]
            raise RuntimeError(f"{shlex.join(command)} ended with {child.returncode}: {last}")
    return Run(seconds, peak)


def run(name: str, folder: Path) -> Run:
    """Run one of `COMMANDS` with a build folder of its own."""
    if name in AFTER:
        run(AFTER[name], folder)
    words = shlex.split(COMMANDS[name].format(out=folder))
    words[0] = str(Path(sys.executable).with_name(words[0]))
    return measure(words, os.environ | {"LATENTWALK_BUILD": str(folder / "build")})


def main() -> None:
    """Run every command so many times and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=QUICK)
    options = parser.parse_args()
    os.chdir(workspace.project_root())
    runs: dict[str, list[Run]] = {name: [] for name in options.commands}
    for _ in range(options.repetitions):
        for name, found in runs.items():
            with tempfile.TemporaryDirectory() as folder:
                found.append(run(name, Path(folder)))
    rows = [
        {
            "command": COMMANDS[name].replace("{out}/", ""),
            "seconds": statistics.median(run.seconds for run in found),
            "lowest": min(run.seconds for run in found),
            "highest": max(run.seconds for run in found),
            "mebibytes": max(run.peak_bytes for run in found) / 2**20,
        }
        for name, found in runs.items()
    ]
    about = f"Median of {options.repetitions} runs, what a command starts counted in"
    Table("commands", "Commands", COLUMNS, rows, about).keep()


if __name__ == "__main__":
    main()
