import pytest
from hypothesis import HealthCheck, settings
from listening import listening

from latentwalk.data import mnist

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
        return mnist.load("test")
    except mnist.DataError as error:
        pytest.skip(str(error))


@pytest.fixture
def said():
    """The messages that are logged during a test, as a list that grows."""
    with listening() as messages:
        yield messages
