"""Split a .qmd file into front matter, prose and code cells. Nothing is dropped silently."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from problemset.render.errors import DocumentError
from problemset.render.source.definitions import TAG, Definitions, DefinitionsError
from problemset.render.source.options import CellOptions, read_cell_options

_FENCE = re.compile(r"^( *)(`{3,}|~{3,})\s*([^`]*?)\s*$")
_OPTION_LINE = re.compile(r"^#\| ?(.*)$")
_CODE_SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")

_REFUSED = (
    (r"\{\{<", "shortcodes are not supported; write markdown instead"),
    (r"\{[^}]*panel-tabset", "tabsets are not supported; use headings"),
    (r"\{[^}]*\blayout(-ncol|-nrow)?\s*=", "layouts are not supported; draw panels in one figure"),
    (r"\{[^}]*\.((column|page|screen)-|aside)", "margin columns are not supported; use a footnote"),
    (r"\{[^}]*\.content-(visible|hidden)", "conditional content is not supported; leave it out"),
    (r"(\{#|@)lst-", "numbered listings are not supported; use an unlabelled block"),
    (r"!\[[^\]]*\]\(\s*https?:", "images from the network are not supported; use a local file"),
)


@dataclass(frozen=True)
class Prose:
    """Markdown between two cells."""

    text: str
    line: int
    """Line of the file on which it starts, from 1."""


@dataclass(frozen=True)
class Cell:
    """One code cell."""

    source: str
    """Everything between the fences, option lines included, as the kernel and the notebook get
    it."""
    code: str
    """The source without its option lines, as the PDF and the web page show it."""
    options: CellOptions
    line: int
    """Line of the file on which the source starts, from 1."""


@dataclass(frozen=True)
class Document:
    """A .qmd file split into its parts."""

    path: Path
    metadata: dict[str, Any]
    chunks: tuple[Prose | Cell, ...]


def read_document(path: Path) -> Document:
    """Read and split a .qmd file.

    Raises:
        DocumentError: when the file cannot be read or uses an unsupported feature.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(path, None, f"cannot be read: {error}") from error
    metadata, start = _front_matter(path, lines)
    chunks = tuple(_split(path, lines, start))
    _check_labels(path, chunks)
    return Document(path, metadata, chunks)


def read_yaml(path: Path, text: str, first_line: int = 1) -> dict[str, Any]:
    """Parse a YAML mapping; errors name the line of the surrounding file.

    Raises:
        DocumentError: when the text is not YAML, or not a mapping.
    """
    try:
        loaded = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = first_line + error.problem_mark.line if error.problem_mark else first_line
        raise DocumentError(path, line, f"not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise DocumentError(path, first_line, "not valid YAML") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise DocumentError(path, first_line, "expected YAML of the form `key: value`")
    return loaded


def _front_matter(path: Path, lines: list[str]) -> tuple[dict[str, Any], int]:
    """The YAML block at the top, and the index of the line after it."""
    if not lines or lines[0].rstrip() != "---":
        return {}, 0
    for index in range(1, len(lines)):
        if lines[index].rstrip() in ("---", "..."):
            return read_yaml(path, "\n".join(lines[1:index]), first_line=2), index + 1
    raise DocumentError(path, 1, "the front matter is not closed; end it with a line of ---")


def _split(path: Path, lines: list[str], start: int) -> list[Prose | Cell]:
    chunks: list[Prose | Cell] = []
    definitions = Definitions()
    prose_start, index = start, start
    while index < len(lines):
        fence = _FENCE.match(lines[index])
        if not fence:
            _check_prose(path, index + 1, lines[index])
            index += 1
            continue
        end = _closing_fence(path, lines, index, fence.group(2))
        # other fenced blocks stay in the prose, and their content is not checked
        if _is_cell(path, index + 1, fence):
            _add_prose(chunks, lines, prose_start, index)
            chunks.append(_cell(path, lines[index + 1 : end], index + 2, definitions))
            prose_start = end + 1
        index = end + 1
    _add_prose(chunks, lines, prose_start, len(lines))
    return chunks


def _closing_fence(path: Path, lines: list[str], opened: int, marker: str) -> int:
    for index in range(opened + 1, len(lines)):
        text = lines[index].strip()
        # as in Markdown, the closing fence may be longer than the opening one
        if len(text) >= len(marker) and set(text) == {marker[0]}:
            return index
    raise DocumentError(path, opened + 1, f"this block is not closed; end it with {marker}")


def _is_cell(path: Path, line: int, fence: re.Match[str]) -> bool:
    indent, marker, info = fence.groups()
    if info.replace(" ", "") == "{python}" and marker == "```":
        if indent:
            raise DocumentError(path, line, "a code cell must start at the left margin")
        return True
    # attributes such as {.python} or {#id} make an ordinary block
    if info.startswith("{") and not re.match(r"\{\s*[.#]", info):
        raise DocumentError(
            path, line, f"a block of {info} is not supported; use ```{{python}} or plain ```name"
        )
    return False


def _add_prose(chunks: list[Prose | Cell], lines: list[str], start: int, end: int) -> None:
    text = "\n".join(lines[start:end])
    if text.strip():
        chunks.append(Prose(text, start + 1))


def _cell(path: Path, body: list[str], line: int, definitions: Definitions) -> Cell:
    option_lines: list[str] = []
    for text in body:
        match = _OPTION_LINE.match(text)
        if not match:
            break
        option_lines.append(match.group(1))
    given = read_yaml(path, "\n".join(option_lines), first_line=line)
    options = read_cell_options(path, given, option_lines, line)
    code = "\n".join(body[len(option_lines) :]).strip("\n")
    source = "\n".join(body).strip("\n")
    if TAG in options.tags:
        try:
            code = definitions.replace(code)
        except DefinitionsError as error:
            raise DocumentError(path, line, f"{error}; or drop the tag {TAG}") from error
        source = "\n".join([*body[: len(option_lines)], code])
    return Cell(source, code, options, line)


def _check_prose(path: Path, line: int, text: str) -> None:
    # code may mention what is refused
    outside_code = _CODE_SPAN.sub("", text)
    for pattern, problem in _REFUSED:
        if re.search(pattern, outside_code):
            raise DocumentError(path, line, problem)


def _check_labels(path: Path, chunks: tuple[Prose | Cell, ...]) -> None:
    seen: set[str] = set()
    for chunk in chunks:
        if isinstance(chunk, Cell) and chunk.options.label:
            if chunk.options.label in seen:
                raise DocumentError(
                    path, chunk.line, f"the label {chunk.options.label} is used twice; rename one"
                )
            seen.add(chunk.options.label)
