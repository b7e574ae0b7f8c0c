"""`latentwalk render`: render the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latentwalk import data, side_by_side
from latentwalk.model_zoo import recipes, trainer, weights_files
from problemset import student, workspace
from problemset.commands.parsing import Outcome, parse
from problemset.render.document import read_document
from problemset.render.engine import Engine, render_report

HELP = """Make the report: build/report.pdf, build/report.html and build/report.ipynb.

Weights that are valid for the code, the configuration and the data are used as they are
(build/weights before assets/weights); models without any are trained first, with progress.
Name and hours come from student.yml.

Example:
    latentwalk render --engine embedded
"""


@dataclass(frozen=True)
class RenderOptions:
    """Options of `render`."""

    engine: Engine = "auto"
    """Renderer: quarto requires Quarto, embedded never uses it, auto falls back from Quarto to the
    embedded renderer."""


def run(arguments: Sequence[str], say: workspace.Say) -> Outcome:
    """Train the models without valid weights, then render the report.

    Raises:
        UsageError: an unknown option.
        StudentFileError: student.yml is malformed.
        DataError, TrainingDiverged: MNIST cannot be obtained, or a model cannot be trained.
        DocumentError, RenderError: the report cannot be rendered.
    """
    options = parse(RenderOptions, arguments, "latentwalk render", HELP)
    read_document(workspace.report_file())  # report mistakes before minutes of training
    student.load(say=say)
    with workspace.build_lock(say):
        data.obtain(say)
        untrained = [name for name in recipes.recipes() if weights_files.find(name, say) is None]
        side_by_side.fit(untrained, say)
        for name in untrained:
            trainer.train(recipes.get(name), say=say)
        say("rendering the report")
        made = render_report(workspace.report_file(), workspace.build_dir(), options.engine, say)
    files = [_short(path) for path in (made.pdf, made.html, made.ipynb)]
    return Outcome("\n".join([*files, f"made by the {made.engine} renderer"]))


def _short(path: Path) -> str:
    """Make a path relative to the current folder, if it is inside it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
