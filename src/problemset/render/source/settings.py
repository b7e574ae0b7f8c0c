"""Options of the document and its _quarto.yml, merged per output format as Quarto merges them."""

import datetime
import functools
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from problemset.render.errors import DocumentError
from problemset.render.source.document import Document, read_yaml
from problemset.render.source.look import DATE_FORMATS, Look, LookError, read_look
from problemset.render.source.options import EXECUTE_KEYS, FIGURE_PLACES, Shown

Format = Literal["typst", "html"]

_FORMATS = ("typst", "html", "ipynb")


@dataclass(frozen=True)
class Settings:
    """The document's options for one output format."""

    metadata: dict[str, Any]
    """Metadata for pandoc; text in it is markdown."""
    variables: dict[str, str]
    """Variables of the Typst template, as written."""
    number_sections: bool
    toc: bool
    toc_depth: int
    shown: Shown
    """Defaults for cells without options of their own."""
    look: Look
    """Files and text that decide how the output looks."""


def read_settings(
    document: Document, format_name: Format, overrides: dict[str, Any] | None = None
) -> Settings:
    """Merge _quarto.yml, the front matter and the format's own options; later ones take precedence.

    Args:
        document: the document; `_quarto.yml` is expected in the same folder.
        format_name: the output format.
        overrides: metadata that takes precedence over everything else; text in it is markdown.

    Raises:
        DocumentError: for an unknown option, so that none is dropped silently.
    """
    project_file = document.path.parent / "_quarto.yml"
    project: dict[str, Any] = {}
    if project_file.is_file():
        project = read_yaml(project_file, project_file.read_text(encoding="utf-8"))
        _check_keys(project_file, project)
    _check_keys(document.path, document.metadata)
    merged = merge(project, document.metadata)
    formats = document.metadata.get("format")
    merged = merge(merged, _format_options(merged.pop("format", None), format_name))
    merged = merge(merged, overrides or {})
    try:
        look = read_look(document.path.parent, merged, format_name)
    except LookError as error:
        own = error.key in {**document.metadata, **_format_options(formats, format_name)}
        file = document.path if own else project_file
        raise _at_key(file, error.key, str(error)) from error
    return _settings(document.path, merged, look)


@functools.cache
def _known_options() -> dict[str, Any]:
    path = Path(__file__).with_name("quarto_options.yml")
    return read_yaml(path, path.read_text(encoding="utf-8"))


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge mappings key by key and join lists; any other value in `over` replaces the other."""
    out = dict(base)
    for key, value in over.items():
        before = out.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            out[key] = merge(before, value)
        elif isinstance(value, list) and isinstance(before, list):
            out[key] = before + [entry for entry in value if entry not in before]
        else:
            out[key] = value
    return out


def _format_options(formats: Any, format_name: Format) -> dict[str, Any]:
    options = formats.get(format_name) if isinstance(formats, dict) else None
    return options if isinstance(options, dict) else {}


def _check_keys(path: Path, given: dict[str, Any]) -> None:
    known = _known_options()
    for key, value in given.items():
        if not any(key in known[kind] for kind in ("pandoc", "used", "ignored")):
            raise _at_key(path, key, f"unknown option {key}; leave it out")
        if (only := known["only_value"].get(key, value)) != value:
            raise _at_key(path, key, f"{key} is {value!r}, expected {only!r}")
    if given.get("fig-pos", "H") not in FIGURE_PLACES:
        raise _at_key(path, "fig-pos", f"fig-pos is not one of {', '.join(FIGURE_PLACES)}")
    if given.get("date-format", "iso") not in DATE_FORMATS:
        names = ", ".join(DATE_FORMATS)
        raise _at_key(path, "date-format", f"date-format is not one of {names}")
    execute = given.get("execute") or {}
    for key in execute:
        if key not in (*EXECUTE_KEYS, "daemon"):
            raise _at_key(path, key, f"unknown option {key} under execute")
    formats = given.get("format") or {}
    for name in [formats] if isinstance(formats, str) else formats:
        if name not in _FORMATS:
            raise _at_key(
                path, str(name), f"format {name} is not supported, expected typst or html"
            )
        if isinstance(formats, dict) and isinstance(formats[name], dict):
            _check_keys(path, formats[name])


def _at_key(path: Path, key: str, problem: str) -> DocumentError:
    lines = path.read_text(encoding="utf-8").splitlines()
    # YAML gives no line for a single key, so look for it in the text
    pattern = re.compile(rf"^\s*(format:\s*)?{re.escape(key)}\s*(:|$)")
    found = [number for number, text in enumerate(lines, 1) if pattern.match(text)]
    return DocumentError(path, found[0] if found else None, problem)


def _settings(path: Path, merged: dict[str, Any], look: Look) -> Settings:
    metadata = {key: merged[key] for key in _known_options()["pandoc"] if key in merged}
    if not isinstance(metadata.get("title"), str):
        raise DocumentError(path, 1, "the document has no title; add `title: ...` at its top")
    author = metadata.get("author", [])
    authors = author if isinstance(author, list) else [author]
    if not all(isinstance(name, str) for name in authors):
        raise _at_key(path, "author", "author must be a name or a list of names")
    metadata["author"] = authors
    metadata.setdefault("lang", "en")
    if "bibliography" in metadata:
        metadata.setdefault("reference-section-title", "References")
        metadata.setdefault("link-citations", True)
    variables = _typst_variables(merged)
    if isinstance(day := metadata.get("date"), datetime.date):
        metadata["date"] = DATE_FORMATS[merged.get("date-format", "iso")](day)
        variables["document-date"] = f"year: {day.year}, month: {day.month}, day: {day.day}"
    return Settings(
        metadata=metadata,
        variables=variables,
        number_sections=bool(merged.get("number-sections", False)),
        toc=bool(merged.get("toc", False)),
        toc_depth=int(merged.get("toc-depth", 3)),
        shown=_presets(merged),
        look=look,
    )


def _typst_variables(merged: dict[str, Any]) -> dict[str, str]:
    variables: dict[str, str] = {
        key: str(merged[key]) for key in ("papersize", "fontsize") if key in merged
    }
    margin = merged.get("margin")
    if isinstance(margin, dict):
        variables |= {f"margin-{axis}": str(margin[axis]) for axis in ("x", "y") if axis in margin}
    variables["mainfont"] = str(merged.get("mainfont", "Libertinus Serif"))
    return variables


def _presets(merged: dict[str, Any]) -> Shown:
    wanted = {**(merged.get("execute") or {})}
    wanted |= {key: merged[key] for key in (*EXECUTE_KEYS, "code-fold", "fig-pos") if key in merged}
    known = {key.replace("-", "_"): value for key, value in wanted.items() if key != "daemon"}
    return replace(Shown(), **known)
