"""Train several models at the same time, each in its own process with a share of the cores.

Two training runs use a processor better than the threads of one run. A step consists of a few
hundred short operations, and after each of them the threads wait for one another.
"""

import contextlib
import logging
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

from latentwalk.data import mnist
from latentwalk.model_zoo import recipes, trainer, weights_files
from latentwalk.training import loop

_LOG = logging.getLogger(__name__)

SIDE_BY_SIDE = 2
"""Number of training runs at the same time."""
_SPAWN = multiprocessing.get_context("spawn")  # a forked process would lack PyTorch's threads


def train_missing() -> None:
    """Train every model of the report that has no valid weights.

    Raises:
        DataError, TrainingDiverged: MNIST cannot be obtained, or a model cannot be trained.
    """
    mnist.obtain()
    missing = [name for name in recipes.recipes() if weights_files.find(name) is None]
    fit(missing)
    for name in missing:
        trainer.train(recipes.get(name))


def fit(names: Sequence[str], seed: int | None = None) -> None:
    """Train several models in advance, so that `trainer.train` only has to measure them.

    This does nothing on a GPU, which one training run fills, or with only one model or one thread.
    If a run fails here, or its process dies, `trainer.train` resumes it from its checkpoint with
    all cores, and reports any error.

    Args:
        names: names in `recipes.recipes()`.
        seed: seed for all models; each recipe's own if omitted.
    """
    threads = torch.get_num_threads() // SIDE_BY_SIDE
    if len(names) < 2 or threads == 0 or loop.best_device().type != "cpu":
        return
    _LOG.info("training %s: %d at a time", ", ".join(names), SIDE_BY_SIDE)
    mnist.obtain()  # once here, not in each process
    waiting = sorted(names, key=_images)  # pop() takes the longest first
    lock = _SPAWN.RLock()  # for the terminal
    running: dict[int, SpawnProcess] = {}  # by terminal line of the progress bar
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
    """Number of images in a training run, as a measure of its duration."""
    config = recipes.get(name).config
    return int(config.steps * config.batch_size)


def _start(
    name: str, threads: int, line: int, lock: RLock, seed: int | None = None
) -> SpawnProcess:
    process = _SPAWN.Process(target=_fit_here, args=(name, threads, line, lock, seed))
    # Ctrl-C reaches every process of a terminal; children inherit SIG_IGN, and the parent
    # terminates them
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)
    return process


def _fit_here(name: str, threads: int, line: int, lock: RLock, seed: int | None = None) -> None:
    """Train one model; runs in a child process."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so the bar is cleared on exit
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    tqdm.set_lock(lock)
    # the error occurs again in `trainer.train`, which reports it
    with contextlib.suppress(KeyboardInterrupt, ValueError, OSError, RuntimeError):
        trainer.fit(recipes.get(name, seed), bar_options={"position": line, "desc": name})


def _end_with_parent() -> None:
    """Terminate this process when its parent process ends for any reason."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
