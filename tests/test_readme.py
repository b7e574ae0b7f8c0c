"""What the README says can be done, can be done."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from latentwalk import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CODE = re.findall(r"`([^`\n]+)`", README) + re.findall(r"^    (\S.*)$", README, re.MULTILINE)
# beside the README: the texts that tell a reader which command to give
TEXTS = [
    README,
    (ROOT / "CONTRIBUTING.md").read_text("utf-8"),
    (ROOT / "student.yml").read_text("utf-8"),
]
COMMANDS = sorted({code for code in CODE if code.startswith("latentwalk ")})


def test_every_make_target_exists():
    named = {name for text in TEXTS for name in re.findall(r"(?:`|^    )make ([a-z]+)", text, re.M)}
    assert {"report", "test", "help", "doctor", "reproduce"} <= named
    done = subprocess.run(
        ["make", "-n", *sorted(named)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_readme_names_commands():
    assert {command.split()[1] for command in COMMANDS} >= {"train", "sample", "data"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_exists(command, capsys):
    words = shlex.split(command)[1:]
    if words[0].startswith("-"):
        assert cli.main(words) == 0
        return
    model = [words[1]] if len(words) > 1 and not words[1].startswith("-") else []
    assert cli.main([words[0], *model, "--help"]) == 0
    explained = capsys.readouterr().out
    for option in (word for word in words if word.startswith("--")):
        assert f"{option} " in explained or f"{option}," in explained, f"{words[0]} lacks {option}"


def test_every_file_exists():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert "assets/interpolation.png" in links
    layout = README.partition("## Layout")[2].partition("##")[0]
    listed = re.findall(r"^    (?:  )?(\S+?/?)(?=\s{2,}|\s)", layout, re.MULTILINE)
    assert len(listed) >= 8
    made = {"build/"}
    places = [*links, *(name for name in listed if name not in made)]
    inside = (ROOT, ROOT / "src" / "latentwalk", ROOT / "src" / "problemset")
    missing = [p for p in places if not any((folder / p).exists() for folder in inside)]
    assert missing == []


def test_it_is_short():
    assert len(README.splitlines()) <= 110
    assert len(TEXTS[1].splitlines()) <= 80
