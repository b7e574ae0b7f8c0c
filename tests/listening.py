"""What the packages say while a test runs."""

import contextlib
import logging


class Listener(logging.Handler):
    """Keeps messages as a reader would see them."""

    def __init__(self):
        super().__init__()
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


@contextlib.contextmanager
def listening(listener=None):
    """Let a listener hear both packages; gives the list of messages, which grows."""
    listener = listener or Listener()
    loggers = [logging.getLogger(name) for name in ("problemset", "latentwalk")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.addHandler(listener)
    try:
        yield listener.said
    finally:
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers = handlers
