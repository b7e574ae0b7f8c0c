"""What the tests of `side_by_side` start instead of trainings."""

import os
import signal
import threading
import time
from pathlib import Path

from latentwalk.model_zoo import parallel

LONG = 600  # seconds; longer than any test waits
PATIENCE = 60  # seconds; a process starts sooner, also on a busy machine
BESIDE = {"long": "middle", "middle": "long"}


def work(folder, name):
    """Stand for a training.

    `dies` is killed, `waits` goes on until it is ended, `long` and `middle` end only when both
    have begun.
    """
    note(folder, name, "began")
    if name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("waits"):
        time.sleep(LONG)
    give_up = time.monotonic() + PATIENCE
    while name in BESIDE and not (folder / f"{BESIDE[name]}.began").exists():
        if time.monotonic() > give_up:
            return
        time.sleep(0.02)
    note(folder, name, "ended")


def note(folder, name, moment):
    (folder / f"{name}.{moment}").write_text(f"{time.monotonic()} {os.getpid()}")


def say_whether_interrupts_are_ignored(path, threads, line, lock, seed):
    Path(path).write_text(str(signal.getsignal(signal.SIGINT) == signal.SIG_IGN))


def start_one(path):
    """Start a process that ends with this one, as the trainings do."""
    parallel._SPAWN.Process(target=last_with_parent, args=(path,)).start()


def last_with_parent(path):
    threading.Thread(target=parallel._end_with_parent, daemon=True).start()
    Path(path).write_text(str(os.getpid()))
    time.sleep(LONG)
