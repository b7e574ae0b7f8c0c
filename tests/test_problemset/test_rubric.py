import pytest
import yaml

from problemset import rubric, workspace
from problemset.rubric import RubricError

# homework.md, note 11
POINTS = {
    "1a": 12,
    "1b": 12,
    "2a": 8,
    "2b": 4,
    "2c": 4,
    "2d": 4,
    "2e": 4,
    "3a": 8,
    "3b": 4,
    "3c": 4,
    "3d": 4,
    "3e": 4,
    "4a": 4,
    "4b": 4,
    "4c": 8,
    "4d": 8,
    "5a": 2,
    "5b": 2,
}


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
    return yaml.safe_load(workspace.rubric_file().read_text("utf-8"))


def doubled(content):
    content["items"].append(dict(content["items"][-1]))


def swapped(content):
    content["items"][:2] = content["items"][1::-1]


def item(content, name="2d"):
    return next(entry for entry in content["items"] if entry["id"] == name)


def check(content, name="2d"):
    return item(content, name)["checks"][0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: item(c, "1a").update(points=11, reader=7), "points add up to 99, expected 100"),
        (lambda c: item(c).update(points=5), "the checks and the reader of 2d give 4 points"),
        (lambda c: item(c).update(reader=1), "of 2d give 5 points, expected its 4"),
        (lambda c: check(c).update(points=2), "of 2d give 5 points, expected its 4"),
        (lambda c: item(c).update(points="4"), "points is '4', expected 1 or more"),
        (lambda c: item(c).update(points=True), "points is True"),
        (lambda c: item(c).update(points=0), "points is 0, expected 1 or more"),
        (lambda c: item(c).update(reader=-1), "reader is -1, expected 0 or more"),
        (lambda c: check(c).update(points=0), "points is 0, expected 1 or more"),
        (lambda c: check(c).update(shows=""), "shows is '', expected text"),
        (lambda c: check(c).update(check=7), "check is 7, expected text"),
        (lambda c: check(c).pop("shows"), "expected check, points, shows"),
        (lambda c: item(c).update(checks="all"), "checks is 'all', expected a list"),
        (lambda c: item(c)["checks"].append("more"), "check is 'more', expected the fields"),
        (lambda c: check(c).update(check="gan_opens"), "the check gan_opens is used twice"),
        (lambda c: item(c).update(id="a1"), "id is 'a1', expected problem and letter"),
        (lambda c: item(c).update(id=1), "id is 1, expected problem and letter"),
        (lambda c: item(c).update(title=" "), "title is ' ', expected text"),
        (lambda c: item(c).update(bonus=3), "(bonus), expected asks, checks, id"),
        (lambda c: item(c).pop("asks"), "(asks), expected asks, checks, id"),
        (lambda c: c["items"].insert(0, "1a"), "expected the fields"),
        (doubled, "expected each once and in order"),
        (swapped, "expected each once and in order"),
        (lambda c: c.update(more=1), "(more), expected assignment, items, pledge, total"),
        (lambda c: c.pop("items"), "(items), expected assignment, items, pledge, total"),
        (lambda c: c.update(items={}), "line 1: items is {}, expected a list"),
        (lambda c: c.update(total=0), "line 1: total is 0, expected 1 or more"),
        (lambda c: c.update(pledge=[]), "line 1: pledge is [], expected text"),
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


def test_faults_are_named_with_their_line(tmp_path):
    lines = workspace.rubric_file().read_text("utf-8").splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("  - id: 3b"))
    wrong = next(n for n in range(place, len(lines)) if "points: " in lines[n])
    lines[wrong] = "    points: many"
    path = tmp_path / "rubric.yml"
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(RubricError, match=rf"line {place + 1}: points is 'many'"):
        rubric.load(path)
    lines[wrong] = "    points: 4\n    points: 4"
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(RubricError, match=rf"line {place + 1}: 'points' is given twice"):
        rubric.load(path)


def test_unknown_checks_are_refused_when_the_known_are_given():
    names = [each.check for entry in rubric.load() for each in entry.checks]
    assert len(names) > 20
    rubric.load(known=names)
    with pytest.raises(RubricError, match=f"there is no check {names[3]!r}, expected one of"):
        rubric.load(known=[*names[:3], *names[4:]])


def test_every_point_is_given_by_a_check_or_by_a_reader():
    items = rubric.load()
    by_machine = sum(each.points for entry in items for each in entry.checks)
    assert by_machine + sum(entry.reader for entry in items) == 100
    assert {entry.id for entry in items if entry.reader} == {"1a", "1b", "3d", "3e", "5a"}


def test_a_missing_rubric_is_named(tmp_path):
    with pytest.raises(RubricError, match="cannot be read: No such file"):
        rubric.load(tmp_path / "rubric.yml")
