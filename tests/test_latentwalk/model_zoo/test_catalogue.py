import dataclasses

import pytest

from latentwalk.model_zoo import recipes
from latentwalk.model_zoo.catalogue import ENTRIES


@pytest.mark.parametrize("name", ENTRIES)
def test_commands_and_report_use_the_same_configurations(name):
    entry, recipe = ENTRIES[name], recipes.get(name)
    assert dataclasses.asdict(entry.config()) == dataclasses.asdict(recipe.config)
    changed = dataclasses.replace(recipe.config, steps=7)
    assert dataclasses.asdict(entry.config(steps=7)) == dataclasses.asdict(changed)
    assert hasattr(recipe.model, "sample") == (entry.model != "classifier")
