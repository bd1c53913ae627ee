"""A pytest plugin: Hypothesis says that a law is broken, each time the same way, and looks for no simpler case.

Nor does it mind how long a case takes: a busy machine is no mutant.

At the end it says what the tests took of the processor, which depends less on what else runs than their time does.
"""

import os

from hypothesis import Phase, settings

settings.register_profile(
    "mutation", phases=[Phase.explicit, Phase.generate], derandomize=True, database=None, deadline=None
)
settings.load_profile("mutation")


def pytest_unconfigure() -> None:
    """The last line of the output: processor seconds of this process and of those it waited for."""
    print(f"\n{sum(os.times()[:4]):.1f}")
