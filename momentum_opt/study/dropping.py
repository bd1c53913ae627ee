"""Run a blocking call in a thread that can be abandoned."""

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

LOOK_SECONDS = 0.05
"""Between two looks at whether to go on waiting."""


def result_unless(give_up: Callable[[], bool], work: Callable[[], Result]) -> Result | None:
    """The result of `work`, which runs in a thread of its own; None as soon as `give_up` says so.

    A compiled computation cannot be stopped: given up, it goes on in the background until it is done or the process
    ends. The thread that waits can meanwhile be reached by signals.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again below, in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, name="batch", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(LOOK_SECONDS)
        if thread.is_alive() and give_up():
            return None
    if errors:
        raise errors[0]
    return results[0]
