import pytest

from latentwalk import data


@pytest.fixture(scope="session")
def digits():
    """MNIST's 10,000 test digits, from the normal chain of sources."""
    try:
        return data.load("test")
    except data.DataError as error:
        pytest.skip(str(error))
