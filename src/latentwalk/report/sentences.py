"""Sentences of the report that are written from results."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from latentwalk.experiments.problem2 import Pair
from latentwalk.model_zoo.weights_files import Released
from problemset.render.escape import Literal
from problemset.rubric import Item
from problemset.student import Student


def readings(labels: Iterable[int]) -> str:
    """Format a sequence of digits with repeats grouped: 6 (4 times), 9, 7 (5 times)."""
    runs = [(digit, len(list(same))) for digit, same in groupby(int(label) for label in labels)]
    return ", ".join(
        f"{digit} ({length} times)" if length > 1 else str(digit) for digit, length in runs
    )


def third_digits(labels: Sequence[int]) -> int:
    """Number of steps of a path that are read as neither end's digit."""
    return sum(label not in (labels[0], labels[-1]) for label in labels)


def picked(pair: Pair) -> str:
    """2c: who picked the two images, which digits they show, and whether both show the same."""
    start, end = (f"{'an' if label == 8 else 'a'} {label}" for label in pair.labels)
    numbers = "numbers {} and {}".format(*pair.indices)
    if pair.automatic:
        return (
            "The rule is fixed in advance: of all pairs with different labels, take the one whose "
            f"less certain image is judged most certainly. It picks {numbers}, {start} and {end}."
        )
    if pair.same_digit:
        return (
            f"The two images were picked by hand: {numbers}. Both are read as {start}, so the path "
            "between them need not leave this digit, and says nothing about how one digit turns "
            "into another."
        )
    return f"The two images were picked by hand: {numbers}, {start} and {end}."


def byline(who: Student) -> str | Literal:
    """Format the student's name, shown exactly as it was written."""
    if who.name is None:
        return "nobody; this is the reference run, and student.yml is not filled in"
    return Literal(who.name)


def hours(who: Student, released: dict[str, Released]) -> str:
    """5a: the student's hours, or the computing time if no hours are given."""
    if who.hours is not None:
        return f"This assignment took {who.hours:g} hours."
    return (
        "The reference run has no student behind it, and so no hours. What was measured is "
        f"computing time: the {len(released)} trainings took {total_minutes(released):.0f} minutes "
        "together, and that is all this number says."
    )


def pledge(who: Student, sentence: str) -> str:
    """5b: the student's pledge, or the sentence that a student would give."""
    if who.pledge:
        return who.pledge
    return (
        "The reference run has no student behind it, and nobody has pledged. Whoever hands in this "
        f"report says: {sentence}."
    )


def places(rubric: Sequence[Item]) -> str:
    """Links to the sections of all items, in one line of markdown; on paper with their pages."""
    return " · ".join(f"[{item.id}](#sec-p{item.id}){{.page}}" for item in rubric)


def total_minutes(released: dict[str, Released]) -> float:
    """Total computing time of all training runs, in minutes."""
    return sum(model.metadata.seconds for model in released.values()) / 60


def cores(released: Released) -> str:
    """Number of processor cores used for a training, in words, such as "one processor core"."""
    return _cores(released.metadata.threads)


def most_cores(released: dict[str, Released]) -> str:
    """Largest number of processor cores used for any of the trainings, in words."""
    return _cores(max(model.metadata.threads for model in released.values()))


def _cores(threads: int) -> str:
    number = {1: "one", 2: "two", 3: "three", 4: "four"}.get(threads, str(threads))
    return f"{number} processor core{'' if threads == 1 else 's'}"


def hardware(released: dict[str, Released]) -> str:
    """List the machines that the models were trained on, each different one once."""
    seen = set()
    for metadata in (model.metadata for model in released.values()):
        torch, precision = (metadata.versions[name] for name in ("torch", "precision"))
        threads = f"{metadata.threads} thread{'s' * (metadata.threads != 1)}"
        seen.add(f"{metadata.device}, {threads}, PyTorch {torch}, {precision}")
    return "; ".join(sorted(seen))
