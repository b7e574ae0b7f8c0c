"""Verdicts in the report's text: they hold for the released weights, and react to other data."""

import dataclasses
import re

import pytest

from latentwalk.evaluation.intervals import Estimate
from latentwalk.report import verdicts
from latentwalk.report.verdicts import above, alike, below, less, mark, more, not_more, overlap
from problemset import workspace
from problemset.render.source.document import Cell, read_document

LOW, MIDDLE, HIGH = (Estimate(v, v - 1, v + 1) for v in (1.0, 2.5, 5.0))


@pytest.mark.parametrize(
    ("holding", "failing"),
    [
        (less(LOW, HIGH), less(HIGH, LOW)),
        (less(1.0, HIGH), less(LOW, MIDDLE)),
        (more(HIGH, LOW), more(MIDDLE, LOW)),
        (not_more(MIDDLE, LOW), not_more(HIGH, LOW)),
        (overlap(LOW, MIDDLE), overlap(LOW, HIGH)),
        (alike(LOW, MIDDLE, 1.5), alike(LOW, MIDDLE, 1.4)),
        (above(HIGH), above(Estimate(0.5, -0.1, 1.1))),
        (below(Estimate(-2, -3, -1)), below(Estimate(-2, -3, 0.0))),
        (verdicts.unclear(Estimate(0.5, -0.1, 1.1)), verdicts.unclear(HIGH)),
    ],
)
def test_a_comparison_holds_only_where_the_intervals_say_so(holding, failing):
    assert mark(holding) == ""
    assert mark(holding, holding) == ""
    said = mark(holding, failing)
    assert said == f"[Not borne out by these weights: {failing.numbers}.] "


def test_the_numbers_are_said():
    assert mark(less(HIGH, LOW)).endswith("5.00 ± 1.00 against 1.00 ± 1.00.] ")
    assert mark(above(LOW), below(HIGH)).count("difference 5.00 ± 1.00") == 1


# the report's own


@pytest.fixture(scope="module")
def document():
    return read_document(workspace.report_file())


@pytest.fixture(scope="module")
def names(document):
    """What the report's first cells define."""
    cells = [chunk for chunk in document.chunks if isinstance(chunk, Cell)]
    setup = {cell.options.label: cell.code for cell in cells}
    defined: dict = {}
    for label in ("setup", "results", "values", "walks"):
        exec(setup[label], defined)
    return defined, setup


def marks(document):
    """Every verdict's code, by the sentence that follows."""
    prose = "\n\n".join(c.text for c in document.chunks if not isinstance(c, Cell))
    return {
        found[2][:60]: found[1]
        for found in re.finditer(r"`\{python\} (mark\(.*?\))` (.{60})", prose)
    }


def evaluated(document, defined):
    return {sentence: eval(code, defined) for sentence, code in marks(document).items()}


@pytest.mark.usefixtures("released_weights")
def test_every_verdict_holds_for_the_released_weights(document, names):
    said = evaluated(document, names[0])
    assert len(said) > 20
    assert {sentence: text for sentence, text in said.items() if text} == {}


def swapped(rows, *pairs):
    """Rows with the measurements of the paired ones exchanged; each keeps its name."""
    rows = list(rows)
    for one, other in pairs:
        rows[one], rows[other] = (
            dataclasses.replace(rows[other], name=rows[one].name),
            dataclasses.replace(rows[one], name=rows[other].name),
        )
    return tuple(rows)


def turned(estimate):
    return Estimate(-estimate.value, -estimate.high, -estimate.low)


def exchanged(quality, smoothness):
    """The results as they would be if the GAN were the VAE and the VAE the GAN."""
    walks = swapped(smoothness.rows, (0, 4), (2, 3))
    margins = {
        new.name: smoothness.margins[old.name]
        for new, old in zip(walks, (smoothness.rows[n] for n in (4, 1, 3, 2, 0, 5, 6)), strict=True)
    }
    differences = tuple(
        dataclasses.replace(found, measures={k: turned(v) for k, v in found.measures.items()})
        for found in smoothness.differences
    )
    return (
        dataclasses.replace(quality, rows=swapped(quality.rows, (1, 2))),
        dataclasses.replace(smoothness, rows=walks, margins=margins, differences=differences),
    )


NO_RIVALS = (
    "Neither copies",
    "Without labels",
    "With it the larger",
    "That it agrees",
    "Not all of that recall",
    "all walks of both models",
)
"""Sentences that do not compare the GAN with the VAE."""


@pytest.mark.usefixtures("released_weights")
def test_with_the_models_exchanged_every_verdict_on_them_is_marked(document, names):
    defined, cells = dict(names[0]), names[1]
    defined["quality"], defined["smoothness"] = exchanged(defined["quality"], defined["smoothness"])
    defined["paths"] = dict(zip(defined["paths"], defined["smoothness"].rows, strict=True))
    defined["claims"] = None  # the files of the real results stay
    for label in ("values", "walks"):
        exec(cells[label].replace("claims.save(quality, smoothness)", ""), defined)
    silent = [sentence for sentence, text in evaluated(document, defined).items() if not text]
    assert [s for s in silent if not s.replace("*", "").startswith(NO_RIVALS)] == []


COMPARING = re.compile(
    r"\b(better|worse|steadier|sharper|softer|smoother|surer|larger|smaller|longer|shorter|closer"
    r"|nearer|fewer|higher|lower|more often|less often|more real|less real|harm|gains?|loses?"
    r"|exceeds?|ahead)\b"
)
SECTIONS = ("# Summary", "## 3d.", "## 3e.", "## 4b.", "## 4d.", "# More about the paths")
DEFINING = (
    "more is better",
    "1 is as good as real",
    "Which images are better",
    "Which path is smoother",
    "the pixel blend is the steadiest",
    "nearer to a training digit",
    "nearer to training digits",
    "a better prior",
    "everything",
    "reached",
    "Is the VAE smooth",
    "whether images were copied",
)
"""What compares nothing measured: questions, definitions, and the words of a marked sentence."""


def unmarked(text):
    """Sentences with a comparison in words that no verdict carries, by section."""
    found = []
    for section in re.split(r"\n(?=#{1,2} )", text):
        if not section.startswith(SECTIONS):
            continue
        for paragraph in re.split(r"\n\s*\n", section):
            if paragraph.startswith(("#", "```", "-", "|", ":")):
                continue
            carried = False
            for sentence in re.split(r"(?<=[.?:])\s+(?=[A-Z(`*@$])", paragraph):
                carried = carried or "`{python} mark(" in sentence
                words = re.sub(r"`[^`]*`", "", sentence)
                if COMPARING.search(words) and not carried:
                    found.append(sentence)
    return found


def test_a_comparison_in_words_has_its_verdict():
    text = workspace.report_file().read_text("utf-8")
    text = re.sub(r"(?ms)^```.*?^```$", "", text)
    left = [s for s in unmarked(text) if not any(word.lower() in s.lower() for word in DEFINING)]
    assert left == []
    planted = "## 3d. X\n\nThe VAE is sharper.\n\n`{python} mark(x)` The GAN is better."
    assert unmarked(planted) == ["The VAE is sharper."]
