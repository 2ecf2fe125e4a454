"""What tests of all rooms share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The same examples in every run, and no clock: a slow machine fails no test.
settings.register_profile(
    "tests",
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")
