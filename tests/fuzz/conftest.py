"""Hypothesis as the tests here use it."""

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.fuzz import outcome


def pytest_configure(config: pytest.Config) -> None:
    outcome.asked = config.getoption("--fuzz_examples")
    settings.register_profile(
        "tcam_jax",
        database=None,
        deadline=None,  # `outcome.of` ends what hangs; slow machines are no fault
        # As everywhere else, the tests of a commit find the same things at every run.
        derandomize=outcome.asked is None,
        phases=set(Phase) - {Phase.explain},
        print_blob=outcome.asked is not None,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("tcam_jax")
