"""Functions that log and warn, in every way there is; nothing here imports `logging` before a call does."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from typing import Any


def log(text, name="tests.work", level=30, **more):
    import logging

    logging.getLogger(name).log(level, text, **more)
    return os.getpid()


def log_all_levels(name):
    import logging

    for level in (10, 20, 30, 40, 50):
        logging.getLogger(name).log(level, "level %d", level)


def log_with(*args):
    import logging

    logging.getLogger("tests.work").warning(*args)


class Unpicklable:
    def __reduce__(self):
        raise TypeError("never")

    def __repr__(self):
        return "<Unpicklable>"


class Stubborn(Unpicklable):
    __str__ = __repr__ = None  # type: ignore[assignment]  # calling it raises


class Portable:
    def __init__(self, value):
        self.value = value


def log_strange_things():
    import logging

    log = logging.getLogger("tests.work")
    log.warning("one %s", Unpicklable())
    log.warning(Unpicklable())
    log.warning("three %s", Stubborn())
    log.warning("four", extra={"mine": Unpicklable(), "portable": Portable(4), "plain": {"a": [1]}})
    return "done"


def log_wrongly():
    import logging

    logging.getLogger("tests.work").warning("%d and %d", *[1])
    return "done"


def log_exception():
    import logging

    try:
        raise ValueError("inner")
    except ValueError:
        logging.getLogger("tests.work").exception("it failed", stack_info=True)


def log_many(count):
    import logging

    log = logging.getLogger("tests.work")
    for number in range(count):
        log.warning("record %d", number)
    return "done"


def log_from_threads(count):
    import logging

    log = logging.getLogger("tests.work")

    def work(number):
        for turn in range(50):
            log.warning("%d %d", number, turn)
            print("thread", number, turn)

    threads = [threading.Thread(target=work, args=(number,), name=f"thread-{number}") for number in range(count)]
    for thread in threads:
        thread.start()
    for turn in range(50):
        log.warning("main %d", turn)
    for thread in threads:
        thread.join()


def log_in_a_signal_handler(count):
    """A timer goes off all the time, also while a record is being sent."""
    import logging

    log = logging.getLogger("tests.work")
    fired = []

    def on_alarm(signum, frame):
        fired.append(1)
        log.warning("alarm %d", len(fired))
        signal.setitimer(signal.ITIMER_REAL, 0.0001)  # again, when this one is done: on a slow machine too it goes on

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.0001)
    try:
        for number in range(count):
            log.warning("call %d", number)
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # first: the handler sets the timer again
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return len(fired)


def log_in_a_forked_child():
    """Its parent's channel is not its own."""
    import logging

    pid = os.fork()
    if pid == 0:
        logging.getLogger("tests.work").warning("from the child")
        print("print of the child")
        warnings.warn("warning of the child", stacklevel=1)
        os._exit(0)
    os.waitpid(pid, 0)
    logging.getLogger("tests.work").warning("from the worker")


def log_at_exit(text):
    import atexit

    atexit.register(log, text)


def log_and_die(text):
    log(text)
    os._exit(3)


def is_imported(name):
    return name in sys.modules


def look_at_logging():
    import logging
    import logging.handlers  # a package still

    return {
        "handlers": logging.root.handlers,
        "loader": type(logging.__spec__.loader).__name__,
        "same": logging.__spec__.loader is logging.__loader__,
        "finders": [type(finder).__name__ for finder in sys.meta_path],
        "level": logging.getLogger("tests.level").getEffectiveLevel(),
        "enabled": logging.getLogger("tests.level.below").isEnabledFor(10),
    }


# ---- workers that log by themselves ----------------------------------------------------------------------------------


def configure(path, level=10):
    import logging

    logging.basicConfig(filename=path, level=level, format="%(levelname)s %(message)s")


def configure_with_a_queue(queue):
    """As in the standard library's cookbook."""
    import logging
    import logging.handlers

    logging.root.addHandler(logging.handlers.QueueHandler(queue))
    logging.root.setLevel(10)


def give_one_logger_a_handler(path):
    import logging

    logging.getLogger("tests.own").addHandler(logging.FileHandler(path))


def be_quiet_as_a_library():
    import logging

    logging.getLogger("tests.work").addHandler(logging.NullHandler())
    logging.root.addHandler(logging.NullHandler())


# ---- warnings --------------------------------------------------------------------------------------------------------


class Peculiar(UserWarning):
    """Takes two arguments."""

    def __init__(self, one, two):
        super().__init__(one, two)
        self.two = two


class Unportable(DeprecationWarning):
    def __reduce__(self):
        raise TypeError("never")


def warn(text, category: Any = UserWarning):
    warnings.warn(text, category, stacklevel=1)
    return os.getpid()


def warn_with(kind):
    warnings.warn(Peculiar("one", "two") if kind == "peculiar" else Unportable("old"), stacklevel=1)


def warn_caller():
    warnings.warn("about the caller", stacklevel=2)


def warn_and_catch():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("caught", stacklevel=1)
    return [str(warning.message) for warning in caught]


def warn_as_an_error(text):
    warnings.warn(text, DeprecationWarning, stacklevel=1)
