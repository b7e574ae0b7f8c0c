import pytest
from hypothesis import HealthCheck, settings
from listening import listening

from latentwalk import paths
from latentwalk.data import mnist
from latentwalk.model_zoo import recipes, weights_files

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


@pytest.fixture(scope="session")
def released_weights():
    """Skips a finding about the released models where others are in use.

    Someone who changes a configuration trains models of their own, which need not be as good.
    """
    used = {name: weights_files.valid_file(name) for name in recipes.recipes()}
    own = [n for n, file in used.items() if not file or file.parent != paths.released_weights_dir()]
    if own:
        pytest.skip(f"this is about the released weights, and not used are those of {own}")
