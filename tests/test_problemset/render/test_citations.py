"""Citations in the notebook's prose, and what only looks like one."""

from pathlib import Path

import pytest

from problemset.render.errors import RenderError
from problemset.render.formats import citations

WORK = (
    "@book{ada1843, author = {Lovelace, Ada}, title = {Notes}, publisher = {Taylor}, year = {1843}}"
)


@pytest.fixture
def metadata(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "works.bib").write_text(WORK)
    return {"bibliography": "works.bib"}


def test_names_and_years_stand_for_citations_and_the_works_are_listed(
    tmp_path: Path, metadata: dict[str, str]
) -> None:
    texts = ["As [@ada1843] says.", "See @ada1843, or [compare @ada1843, page 7].", "Nothing."]
    found, works = citations.resolve(texts, metadata, tmp_path)
    assert found == [
        "As (Lovelace 1843) says.",
        "See Lovelace (1843), or (compare Lovelace 1843, 7).",
        "Nothing.",
    ]
    assert works == "Lovelace, Ada. 1843. *Notes*. Taylor."


def test_code_and_addresses_are_no_citations(tmp_path: Path, metadata: dict[str, str]) -> None:
    texts = ["`@property`, ``a `@x` b``, ada@example.org, \\@ada\n\n```python\n@dataclass\n```\n"]
    assert citations.resolve(texts, metadata, tmp_path) == (texts, "")
    found, _ = citations.resolve([texts[0] + "[@ada1843]"], metadata, tmp_path)
    assert found == [texts[0] + "(Lovelace 1843)"]


def test_an_unknown_work_is_named(tmp_path: Path, metadata: dict[str, str]) -> None:
    with pytest.raises(RenderError, match="babbage1837"):
        citations.resolve(["[@babbage1837]"], metadata, tmp_path)


def test_without_a_bibliography_the_text_stays(tmp_path: Path) -> None:
    assert citations.resolve(["[@ada1843]"], {}, tmp_path) == (["[@ada1843]"], "")
