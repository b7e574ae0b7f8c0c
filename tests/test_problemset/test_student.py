import pytest
import yaml

from latentwalk.checks.problem5 import PLEDGE
from problemset import student, workspace
from problemset.student import Student, StudentFileError

TAIL = f"hours: 7.5\npledge: {PLEDGE}\n"


@pytest.fixture
def load(tmp_path):
    """Writes a student.yml and reads it."""

    def read(content):
        path = tmp_path / "student.yml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return student.load(path)

    return read


def refusal(load, content):
    with pytest.raises(StudentFileError) as caught:
        load(content)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("student.yml:")
    return message


def test_the_shipped_file_names_nobody_and_gives_no_pledge():
    assert student.load(workspace.student_file()) == Student(None, None, "")
    comments = workspace.student_file().read_text("utf-8").splitlines()
    assert f"# {PLEDGE}" in comments


def test_a_missing_file_is_the_shipped_state_and_says_so(tmp_path, said):
    assert student.load(tmp_path / "student.yml") == Student(None, None, "")
    assert len(said) == 1
    assert "student.yml is missing" in said[0]


def test_what_is_filled_in_comes_back(load):
    found = load("name: Ada Lovelace\n" + TAIL)
    assert (found.name, found.hours, found.pledge) == ("Ada Lovelace", 7.5, PLEDGE)


@pytest.mark.parametrize(
    "name",
    [
        "Ada #1",
        "$x_1$ and \\alpha",
        "_under_ *star* **bold**",
        "<b>bold</b> & <script>",
        "O'Hara",
        'The "Countess"',
        "Zoë 🦊 李",
        "Nä" * 150,
        "#",
        "[link](url) `code` @fig-x",
        "- a: b",
        "null",
        "No",
        "007",
        "{python} 1",
        "a\\nb",
    ],
)
def test_names_are_kept_character_for_character(load, name):
    quoted = "'" + name.replace("'", "''") + "'"
    assert load(f"name: {quoted}\n" + TAIL).name == name
    assert load(yaml.safe_dump({"name": name}, allow_unicode=True) + TAIL).name == name


@pytest.mark.parametrize("plain", ["a_b*c$d", "<b>x</b>", "O'Hara", "Zoë 🦊", "a#b", "x" * 300])
def test_most_names_need_no_quotes(load, plain):
    assert load(f"name: {plain}\n" + TAIL).name == plain


@pytest.mark.parametrize("empty", ["", "~", "null", "''", "'  '"])
def test_an_empty_name_is_none(load, empty):
    assert load(f"name: {empty}\n" + TAIL).name is None


def test_a_block_followed_by_a_comment_is_a_name(load):
    assert load("name: |\n  Ada\n# the hours\n" + TAIL).name == "Ada"


@pytest.mark.parametrize("line", ["name: Ada #1", "name: #1 Ada", "name: 'Ada' # me"])
def test_a_name_that_a_comment_would_cut_is_refused(load, line):
    message = refusal(load, "# first\n" + line + "\n" + TAIL)
    assert message.startswith("student.yml:2: name is ")
    assert "single quotes" in message


@pytest.mark.parametrize(
    "plain",
    [
        "&Ada",
        "*Ada*",
        "@ada",
        "!Ada",
        "%Ada",
        "?Ada",
        "|Ada",
        ">Ada",
        "`Ada`",
        "Null",
        "NULL",
        "Yes",
        "no",
        "On",
        "true",
        "0x1F",
        "1e3",
        "Ada: Countess",
        "Ada:",
        "Ada\u2028Lovelace",
        "=",
        "Ada - 2",
        "!tag Ada",
        "<<",
        'O\'Neil "Bo" Ng',
        "\u0627\u200c\u0628",
        "Ada, Countess",
    ],
)
def test_a_name_is_not_taken_for_anything_else(load, plain):
    if not any(letter.isalpha() for letter in plain):
        assert "which has no letter" in refusal(load, f"name: {plain}\n" + TAIL)
        plain = f"'{plain}'"
    found = load(f"name: {plain}\n" + TAIL)
    assert (found.name, found.hours) == (plain.strip("'"), 7.5)


@pytest.mark.parametrize(
    "line",
    [
        "name:Ada",
        "name : Ada",
        "Name: Ada",
        "NAME: Ada",
        "\tname: Ada",
        "   name:   Ada  ",
        "name: Ada\t",
        "name:\tAda",
        "name: 'Ada'\t",
        '"name": "Ada"',
        "name: |\n  Ada",
        "name:\n  Ada",
        "name: >-\n\tAda",
        "name\uff1aAda",
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_spaces_tabs_capitals_and_line_ends_do_no_harm(load, line, ends):
    content = f"{line}\n\thours:7.5\t\npledge:{PLEDGE}\t\n".replace("\n", ends)
    assert load(content) == Student("Ada", 7.5, PLEDGE)
    assert load(content.encode("utf-8-sig")) == Student("Ada", 7.5, PLEDGE)


@pytest.mark.parametrize(
    ("value", "problem", "write"),
    [
        ("42", "has no letter", "'42'"),
        ("12:30", "has no letter", "'12:30'"),
        ("2001-01-01", "has no letter", "'2001-01-01'"),
        ("[Ada]", "is a list or a mapping", "'Ada'"),
        ("[Ada", "is a list or a mapping", "'Ada'"),
        ("{first: Ada}", "is a list or a mapping", "'first: Ada'"),
        ("\n  - Ada", "is a list or a mapping", "'Ada'"),
        ("[]", "is a list or a mapping", "'Ada Lovelace'"),
        ("'Ada", "has a quote without its partner", "'Ada'"),
        ('Ada"', "has a quote without its partner", "'Ada'"),
        ("Ada'", "has a quote without its partner", "'Ada'"),
        ('"Ada" Lovelace', "has a quote without its partner", "'Ada\" Lovelace'"),
        ("'O'Hara'", "has a quote without its partner", "'O''Hara'"),
        ('"Ada\\q"', "has a quote without its partner", "'Ada\\q'"),
        ("A\x07da", "has a character that cannot be printed", "'Ada'"),
        ('"A\\nda"', "has a character that cannot be printed", "'Ada'"),
    ],
)
def test_a_name_that_may_be_meant_in_two_ways_is_refused_with_what_to_write(
    load, value, problem, write
):
    message = refusal(load, f"# first\nname: {value}\n" + TAIL)
    assert message.startswith("student.yml:2: name is ")
    suggested = f"write the name in single quotes: name: {write}"
    assert message.endswith(f", which {problem}; {suggested}")
    assert load(f"name: {write}\n" + TAIL).name == write[1:-1].replace("''", "'")


@pytest.mark.parametrize(
    ("written", "hours"), [("0", 0), ("7.5", 7.5), ("10000", 1e4), ("010", 10)]
)
def test_hours_are_read_as_written(load, written, hours):
    assert load(f"hours: {written}\npledge: {PLEDGE}\n").hours == hours


@pytest.mark.parametrize("empty", ["hours:\n", "hours: ~\n", ""])
def test_hours_may_be_left_out(load, empty):
    assert load(empty + f"pledge: {PLEDGE}\n").hours is None


@pytest.mark.parametrize(
    "hours",
    [
        "-1",
        "-0.5",
        "ten",
        "'7'",
        ".nan",
        "nan",
        ".inf",
        "1e400",
        "10001",
        "1:30",
        "0x10",
        "true",
        "[7]",
        "{a: 1}",
        "9" * 400,
        "7,5",
        "7h",
        "1_0.5_",
        "!!int [7]",
    ],
)
def test_hours_out_of_range_are_refused_with_line_and_field(load, hours):
    message = refusal(load, f"name: Ada\n\nhours: {hours}\npledge: {PLEDGE}\n")
    assert message.startswith("student.yml:3: hours is ")
    assert "expected a number from 0 to 10000" in message
    assert len(message) < 200


@pytest.mark.parametrize(
    "pledge",
    [
        PLEDGE + ".",
        PLEDGE.lower(),
        PLEDGE.replace("adhered", "did not adhere"),
        "yes",
        f"[{PLEDGE}]",
        PLEDGE[:-1],
        "I adhered",
    ],
)
def test_an_altered_pledge_is_refused(load, pledge):
    message = refusal(load, f"hours: 3\npledge: {pledge}\n")
    assert message.startswith("student.yml:2: pledge is ")
    assert f'expected word for word "{PLEDGE}"' in message


@pytest.mark.parametrize("pledge", ["", " ", "\npledge:"])
def test_without_a_name_nobody_need_pledge(load, pledge):
    assert load(f"hours: 3{pledge}\n") == Student(None, 3, "")
    message = refusal(load, f"name: Ada\nhours: 3{pledge}\n")
    assert "pledge is not given, expected word for word" in message


def test_a_pledge_that_was_taken_out_is_missed(load):
    message = refusal(load, "# first\nname: Ada\n")
    assert message == f'student.yml:2: pledge is not given, expected word for word "{PLEDGE}"'


def test_a_pledge_may_be_folded(load):
    half = len(PLEDGE) // 2
    cut = PLEDGE.index(" ", half)
    assert load(f"pledge: >\n  {PLEDGE[:cut]}\n  {PLEDGE[cut + 1 :]}\n").pledge == PLEDGE


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("name: Ada\nage: 36\n", 2, "unknown field 'age'"),
        ("name: Ada\nage:\n", 2, "unknown field 'age'"),
        ("name: Ada\nNAME: Eve\n", 2, "name is there twice, here and in line 1; keep one"),
        ("hours: 3\n# yes\n\nhours:4\n", 4, "hours is there twice, here and in line 1"),
        ("- Ada\n- 7\n", 1, "the line is '- Ada', expected lines such as `hours: 7.5`"),
        ("Ada\n", 1, "the line is 'Ada', expected lines such as"),
        ("hours 7.5\n", 1, "the line is 'hours 7.5', write `hours: 7.5`"),
        ("name = Ada\n", 1, "the line is 'name = Ada', write `name: Ada`"),
        ("- name: Ada\n", 1, "the line is '- name: Ada', write `name: Ada`"),
        ("{name: Ada}\n", 1, "the line is '{name: Ada}', write `name: Ada`"),
        ("", 1, "the file is empty"),
        ("# only a comment\n", 1, "the file is empty"),
        ("name: Ada\n---\nhours: 2\n", 2, "the line is '---', expected"),
        ("[" * 5000, 1, "the line is '[[["),
        (b"hours: 3\nname: \xff\xfe\n", 2, "is not UTF-8"),
        (b"\xff\xfen\x00a\x00", 1, "is not UTF-8"),
    ],
)
def test_what_is_no_student_file_is_refused_with_its_line(load, content, line, words):
    message = refusal(load, content)
    assert message.startswith(f"student.yml:{line}: ")
    assert words in message


def test_a_byte_order_mark_and_windows_lines_do_no_harm(load):
    content = ("name: Ada\n" + TAIL).replace("\n", "\r\n").encode("utf-8-sig")
    assert load(content).name == "Ada"


def test_a_folder_in_its_place_is_named(tmp_path):
    (tmp_path / "student.yml").mkdir()
    with pytest.raises(StudentFileError, match=r"student\.yml:1: cannot be read: Is a directory"):
        student.load(tmp_path / "student.yml")
