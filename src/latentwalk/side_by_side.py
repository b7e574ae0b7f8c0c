"""Several models trained at the same time, each in a process with its share of the cores.

Two trainings share a processor better than the threads of one do: a step is a few hundred short
operations, at the end of each of which the threads wait for one another.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import RLock

import torch
from tqdm import tqdm

from latentwalk import data, training
from latentwalk.model_zoo import recipes, trainer
from problemset import workspace

SIDE_BY_SIDE = 2
"""Trainings at the same time."""
_SPAWN = multiprocessing.get_context("spawn")  # a forked process would lack PyTorch's threads


def fit(names: Sequence[str], say: workspace.Say, seed: int | None = None) -> None:
    """Train several models ahead of `trainer.train`, which then only has to measure them.

    Nothing happens where there is a GPU, which one training fills, or one model, or one core.
    A training that fails here, or whose process dies, is left to `trainer.train`: that goes on
    from its checkpoint with all cores to itself, and says what is wrong.

    Args:
        names: of `recipes.recipes()`.
        say: gets one-line messages.
        seed: of all of them; each recipe's own if left out.
    """
    threads = torch.get_num_threads() // SIDE_BY_SIDE
    if len(names) < 2 or threads == 0 or training.best_device().type != "cpu":
        return
    say(f"training {', '.join(names)}: {SIDE_BY_SIDE} at a time")
    data.obtain(say)  # once, not in each process
    waiting = sorted(names, key=_images)  # the longest last
    lock = _SPAWN.RLock()  # of the terminal
    running: dict[int, SpawnProcess] = {}  # by line of the terminal
    try:
        while waiting or running:
            for line in set(range(SIDE_BY_SIDE)) - set(running):
                if waiting:
                    running[line] = _start(waiting.pop(), threads, line, lock, seed)
            connection.wait([process.sentinel for process in running.values()])
            running = {line: process for line, process in running.items() if process.is_alive()}
    finally:
        for process in running.values():
            process.terminate()
            process.join()


def _images(name: str) -> int:
    """Images that a training sees: what it takes grows with them."""
    config = recipes.get(name).config
    return int(config.steps * config.batch_size)


def _start(
    name: str, threads: int, line: int, lock: RLock, seed: int | None = None
) -> SpawnProcess:
    process = _SPAWN.Process(target=_fit_here, args=(name, threads, line, lock, seed))
    # Ctrl-C reaches every process of a terminal; these inherit that they ignore it, and are ended
    # by the one that started them
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)
    return process


def _fit_here(name: str, threads: int, line: int, lock: RLock, seed: int | None = None) -> None:
    """Train one model in a process of its own."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # its bar is wiped on the way out
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    tqdm.set_lock(lock)
    # an error is met again by `trainer.train`, where it is seen
    with contextlib.suppress(KeyboardInterrupt, ValueError, OSError, RuntimeError):
        trainer.fit(recipes.get(name, seed), bar_options={"position": line, "desc": name})


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
