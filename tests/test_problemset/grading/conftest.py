import pytest

from latentwalk.assignment import ASSIGNMENT
from problemset.grading.hand_in import packing


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The report's own submission."""
    folder = tmp_path_factory.mktemp("good") / "submission"
    assert not packing.pack(ASSIGNMENT, folder).missing
    return folder
