"""The Hypothesis profile of every test: the same examples on each run, and no time limits on a shared machine."""

from hypothesis import settings

settings.register_profile("tritweave", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("tritweave")
