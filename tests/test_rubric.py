import pytest
import yaml

from latentwalk import paths, rubric
from latentwalk.rubric import RubricError

# homework.md, note 11
POINTS = {
    "1a": 12, "1b": 12, "2a": 8, "2b": 4, "2c": 4, "2d": 4, "2e": 4, "3a": 8, "3b": 4, "3c": 4,
    "3d": 4, "3e": 4, "4a": 4, "4b": 4, "4c": 8, "4d": 8, "5a": 2, "5b": 2,
}  # fmt: skip


def test_the_points_are_the_assignment_s():
    items = rubric.load()
    assert {item.id: item.points for item in items} == POINTS
    assert [item.id for item in items] == list(POINTS), "in order"
    problems = [sum(i.points for i in items if i.id[0] == number) for number in "12345"]
    assert problems == [24, 24, 24, 24, 4]


def test_titles_differ_and_fit_a_line():
    titles = [item.title for item in rubric.load()]
    assert len(set(titles)) == len(titles)
    assert max(map(len, titles)) <= 60


def valid():
    return yaml.safe_load(paths.rubric_file().read_text("utf-8"))


def doubled(content):
    content["items"].append(dict(content["items"][-1]))


def swapped(content):
    content["items"][:2] = content["items"][1::-1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["items"][0].update(points=11), "points add up to 99, expected 100"),
        (lambda c: c["items"][0].update(points="12"), "item 1a: points is '12'"),
        (lambda c: c["items"][0].update(points=True), "item 1a: points is True"),
        (lambda c: c["items"][0].update(points=0), "item 1a: points is 0"),
        (lambda c: c["items"][0].update(id="a1"), "item id is 'a1'"),
        (lambda c: c["items"][0].update(id=1), "item 1: id is 1"),
        (lambda c: c["items"][0].update(title=" "), "item '1a': title is ' '"),
        (lambda c: c["items"][0].update(bonus=3), "expected the fields asks, id, points, title"),
        (lambda c: c["items"][0].pop("asks"), "expected the fields asks, id, points, title"),
        (lambda c: c["items"].insert(0, "1a"), "expected the fields"),
        (doubled, "expected each once and in order"),
        (swapped, "expected each once and in order"),
        (lambda c: c.update(more=1), "expected one entry, `items`"),
        (lambda c: c.update(items={}), "expected one entry, `items`"),
    ],
)
def test_a_rubric_that_does_not_add_up_is_refused(tmp_path, change, words):
    content = valid()
    change(content)
    path = tmp_path / "rubric.yml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    with pytest.raises(RubricError) as caught:
        rubric.load(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- 1a\n", "items: [", "\x00"])
def test_a_file_that_is_no_rubric_is_refused(tmp_path, text):
    path = tmp_path / "rubric.yml"
    path.write_text(text, "utf-8")
    with pytest.raises(RubricError) as caught:
        rubric.load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_rubric_is_named(tmp_path):
    with pytest.raises(RubricError, match="cannot be read: No such file"):
        rubric.load(tmp_path / "rubric.yml")
