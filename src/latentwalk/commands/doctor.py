"""`latentwalk doctor`: report what this machine has, what is missing, and how to fix it."""

import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from latentwalk import paths
from latentwalk.data import mnist_files
from problemset import student, workspace
from problemset.commands.parsing import Outcome, Parser
from problemset.render.errors import RenderError
from problemset.render.formats.quarto import find_quarto

ROOM_BYTES = 500_000_000  # generous total for weights, checkpoints, results and the report
HELP = """Say what this machine has, what is missing, and how to fix it.

    ok       nothing to do
    note     not needed; the line says what happens without it
    broken   the report cannot be made before this is fixed; the exit code is then 1

Example:
    latentwalk doctor
"""


@dataclass(frozen=True)
class Diagnostic:
    """One entry of the report."""

    state: Literal["ok", "note", "broken"]
    subject: str
    value: str
    mend: str = ""
    """How to fix it, or what happens instead; empty if all is well."""

    def __str__(self) -> str:
        line = f"{self.state:<7} {self.subject:<11} {self.value}"
        return f"{line}\n{'':<20}-> {self.mend}" if self.mend else line


def run(arguments: Sequence[str]) -> Outcome:
    """Run all checks, without downloading or training anything."""
    Parser("latentwalk doctor", HELP).parse_args(arguments)
    checks: list[Callable[[], Iterator[Diagnostic]]] = [
        _python,
        _libraries,
        _machine,
        _folders,
        _student,
        _data,
        _weights,
        _quarto,
    ]
    findings = [finding for check in checks for finding in _guarded(check)]
    broken = sum(finding.state == "broken" for finding in findings)
    verdict = f"{broken} broken" if broken else "nothing is broken"
    return Outcome("\n".join([*map(str, findings), verdict]), 1 if broken else 0)


def _guarded(check: Callable[[], Iterator[Diagnostic]]) -> Iterator[Diagnostic]:
    """Run a check, turning a failed import or a project that is not found into a finding."""
    name = check.__name__.strip("_")
    try:
        yield from check()
    except ImportError as error:
        yield Diagnostic("broken", name, f"{error}", "run `make setup`")
    except workspace.ProjectNotFoundError as error:
        yield Diagnostic("broken", name, "a folder was not found", str(error))


def _python() -> Iterator[Diagnostic]:
    new_enough = sys.version_info >= (3, 11)
    mend = "" if new_enough else "use Python 3.11 or newer: make setup PYTHON=python3.12"
    yield Diagnostic("ok" if new_enough else "broken", "python", platform.python_version(), mend)


def _libraries() -> Iterator[Diagnostic]:
    needed = [r for r in importlib.metadata.requires("latentwalk") or [] if "extra ==" not in r]
    versions: dict[str, str | None] = {}
    for name in (re.split(r"[^A-Za-z0-9._-]", requirement)[0] for requirement in needed):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        yield Diagnostic(
            "broken", "libraries", f"missing: {', '.join(missing)}", "run `make setup`"
        )
    shown = [f"{name} {version}" for name, version in versions.items() if name.startswith("torch")]
    yield Diagnostic("ok", "libraries", f"{len(versions) - len(missing)} found: {', '.join(shown)}")


def _machine() -> Iterator[Diagnostic]:
    import torch

    from latentwalk.training.loop import choose_precision
    from latentwalk.training.provenance import device_name

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    yield Diagnostic("ok", "device", device_name(device))
    yield Diagnostic("ok", "threads", f"{torch.get_num_threads()} of {os.cpu_count()} processors")
    yield Diagnostic("ok", "precision", f"{choose_precision(device)} (the faster one here)")


def _folders() -> Iterator[Diagnostic]:
    report = workspace.report_file()
    installed = paths.INSTALLED_PROJECT.is_dir()
    mend = "" if report.is_file() else "`git checkout` it, or set LATENTWALK_ROOT to its folder"
    where = f"{workspace.project_root()}{' has no report.qmd' if mend else ''}"
    if mend and installed:
        yield Diagnostic("note", "project", where, "`latentwalk init FOLDER` writes one")
    else:
        yield Diagnostic("broken" if mend else "ok", "project", where, mend)
    build = workspace.build_dir()
    # build/ may not exist yet: test the nearest folder above it that does
    place = next(folder for folder in (build, *build.parents) if folder.is_dir())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        mend = "make it writable, or set LATENTWALK_BUILD to another folder"
        yield Diagnostic("broken", "build", f"{place}: {error.strerror}", mend)
    else:
        yield Diagnostic("ok", "build", str(build))
    free = shutil.disk_usage(place).free
    room = free >= ROOM_BYTES
    mend = "" if room else f"free some space: up to {ROOM_BYTES / 1e9:.1f} GB are needed"
    yield Diagnostic("ok" if room else "broken", "disk", f"{free / 1e9:.1f} GB free", mend)


def _student() -> Iterator[Diagnostic]:
    if not workspace.student_file().is_file():
        mend = "without it the report has no name, and only the computer's hours"
        yield Diagnostic("note", "student", "student.yml is missing", mend)
        return
    try:
        found = student.load()
    except student.StudentFileError as error:
        yield Diagnostic("broken", "student", str(error), "fix that line of student.yml")
        return
    hours = "no hours" if found.hours is None else f"{found.hours:g} hours"
    value = f"{'named' if found.name else 'no name'}, {hours}"
    if found.name and found.hours is not None:
        yield Diagnostic("ok", "student", value)
    else:
        mend = "fill in student.yml; without it the report names nobody, or states computing time"
        yield Diagnostic("note", "student", value, mend)


def _data() -> Iterator[Diagnostic]:
    folder, cache = paths.user_data_dir(), paths.data_cache()
    if folder is not None:
        try:
            yield Diagnostic("ok", "data", str(mnist_files.from_user(folder, cache)))
        except mnist_files.DataError as error:
            yield Diagnostic("broken", "data", "LATENTWALK_DATA cannot be used", str(error))
        return
    lacking = mnist_files.lacking(cache)
    if not lacking:
        yield Diagnostic("ok", "data", f"MNIST, verified, in {cache}")
        return
    value = f"{len(lacking)} of {len(mnist_files.FILES)} files are not in {cache}"
    yield Diagnostic(
        "note", "data", value, "`latentwalk data` downloads them, and says if it cannot"
    )


def _weights() -> Iterator[Diagnostic]:
    from latentwalk.model_zoo import recipes, weights_files

    if given := paths.given_weights_dir():
        mine = [name for name in recipes.recipes() if (given / f"{name}.safetensors").exists()]
        value = f"LATENTWALK_WEIGHTS is {given}, with {', '.join(mine) or 'none of the models'}"
        mend = (
            "" if mine else "the usual weights are used; name each file after its model, or unset"
        )
        yield Diagnostic("ok" if mine else "note", "weights", value, f"{mend} it" if mend else "")
    for name in recipes.recipes():
        places = weights_files.status(name)
        valid = [path for path, found in places if found.state == "valid"]
        unusable = [found for _, found in places if found.state not in ("valid", "missing")]
        first, preferred = places[0]
        if first.parent == given and preferred in unusable:
            mend = f"fix or remove {first}: no other file is used instead"
            yield Diagnostic("broken", name, preferred.reason, mend)
            continue
        if valid:
            yield Diagnostic("ok", name, f"valid weights in {_near(valid[0])}")
        for found in unusable:
            state: Literal["note", "broken"] = "broken" if found.state == "damaged" else "note"
            mend = "it is not used; delete it, or restore a released file with `git checkout`"
            stale = f"`latentwalk train {name}` trains it again; so does `latentwalk render`"
            yield Diagnostic(state, name, found.reason, mend if state == "broken" else stale)
        if not valid and not unusable:
            mend = f"`latentwalk train {name}` trains it; so does `latentwalk render`"
            yield Diagnostic("note", name, "no weights yet", mend)


def _near(path: Path) -> Path:
    root = workspace.project_root()
    return path.relative_to(root) if path.is_relative_to(root) else path


def _quarto() -> Iterator[Diagnostic]:
    try:
        yield Diagnostic("ok", "quarto", str(find_quarto()))
    except RenderError as error:
        yield Diagnostic(
            "note", "quarto", str(error), "the embedded renderer makes the same report"
        )
