import pytest
from hypothesis import HealthCheck, settings

from latentwalk import data

# the same examples in every run, and no failure because a machine is busy
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def digits():
    """MNIST's 10,000 test digits, from the normal chain of sources."""
    try:
        return data.load("test")
    except data.DataError as error:
        pytest.skip(str(error))
