"""A pytest plugin: Hypothesis says that a law is broken, each time the same way, and looks for no simpler case."""

from hypothesis import Phase, settings

settings.register_profile("mutation", phases=[Phase.explicit, Phase.generate], derandomize=True, database=None)
settings.load_profile("mutation")
