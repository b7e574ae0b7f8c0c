"""Merge the prose and the cells' outputs into one markdown text for pandoc."""

import base64
import re
from pathlib import Path
from typing import Any

from problemset.render.errors import CellError
from problemset.render.execution.kernel import Executed, Prose, RanCell
from problemset.render.source.document import Document
from problemset.render.source.options import Shown, shown

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
# In Quarto's order of preference; the first that an output offers is shown.
_IMAGES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}


def to_markdown(executed: Executed, preset: Shown, media: Path) -> str:
    """The whole document as pandoc's markdown, with each cell replaced by its visible parts.

    Args:
        executed: the document after its cells were run.
        preset: default options of the cells.
        media: an existing folder for the figures.

    Raises:
        CellError: when an output cannot be shown, such as HTML without markdown.
    """
    parts = []
    for chunk in executed.chunks:
        if isinstance(chunk, Prose):
            parts.append(chunk.text)
        else:
            parts += _cell(executed.document, chunk, shown(chunk.cell.options, preset), media)
    return "\n\n".join(parts) + "\n"


def fenced(text: str, attributes: str) -> str:
    """A code block whose fence is longer than any run of backticks inside it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence} {{{attributes}}}\n{text}\n{fence}"


def _cell(document: Document, ran: RanCell, show: Shown, media: Path) -> list[str]:
    if not show.include:
        return []
    parts = []
    if show.echo and ran.cell.code:
        fold = {True: "true", "show": "show"}.get(show.code_fold, "")
        attributes = ".python .cell-code" + (f' code-fold="{fold}"' if fold else "")
        parts.append(fenced(ran.cell.code, attributes))
    if show.output is False:
        return parts
    blocks, images = _outputs(document, ran, show, media)
    kind = ran.cell.options.float_kind
    if kind is None or ran.count is None:
        return parts + blocks + images
    if kind == "fig":
        return parts + blocks + [_figure(document, ran, show, images)]
    return [*parts, _float(ran, "\n\n".join(blocks + images), ran.cell.options.tbl_cap or "")]


def _figure(document: Document, ran: RanCell, show: Shown, images: list[str]) -> str:
    if len(images) != 1:
        problem = (
            f"{ran.cell.options.label} made {len(images)} images, expected 1; "
            "draw panels in one figure, and end the cell with it"
        )
        raise CellError(document.path, ran.cell.line, problem)
    place = "" if show.fig_pos == "H" else f' fig-pos="{show.fig_pos}"'
    return _float(ran, images[0], ran.cell.options.fig_cap or "", place)


def _float(ran: RanCell, content: str, caption: str, place: str = "") -> str:
    # more colons than any div inside, so that the divs nest
    colons = ":" * max(3, max((len(run) for run in re.findall(":+", content)), default=0) + 1)
    label = ran.cell.options.label
    return f"{colons} {{#{label}{place}}}\n\n{content}\n\n{' '.join(caption.split())}\n\n{colons}"


def _outputs(
    document: Document, ran: RanCell, show: Shown, media: Path
) -> tuple[list[str], list[str]]:
    """Text blocks and images, both as markdown."""
    blocks: list[str] = []
    images: list[str] = []
    for output in ran.outputs:
        if output.output_type == "stream":
            if output.name == "stdout" or show.warning:
                blocks.append(_stream(output, show))
            continue
        kind = next((kind for kind in ("text/markdown", *_IMAGES) if kind in output.data), None)
        if kind == "text/markdown":
            # pandoc keeps both out of the PDF; names.lua lets pass only what a cell has written
            blocks.append(output.data[kind].strip("\n").replace("```{=html}", "```{=html5}"))
        elif kind:
            images.append(_image(ran, kind, output, media, len(images)))
        elif "text/html" in output.data or "text/latex" in output.data:
            problem = "this cell shows HTML or LaTeX only; show Markdown(...) instead, or print it"
            raise CellError(document.path, ran.cell.line, problem)
        else:
            blocks.append(_text(output.data.get("text/plain", "")))
    return blocks, images


def _stream(output: Any, show: Shown) -> str:
    if show.output == "asis" and output.name == "stdout":
        return str(output.text).strip("\n")
    return _text(output.text)


def _text(text: str) -> str:
    block = fenced(_ANSI.sub("", text).rstrip("\n"), ".text")
    return f"::: {{.cell-output}}\n{block}\n:::"


def _image(ran: RanCell, kind: str, output: Any, media: Path, index: int) -> str:
    stem = ran.cell.options.label or f"line-{ran.cell.line}"
    path = media / f"{stem}{f'-{index + 1}' if index else ''}.{_IMAGES[kind]}"
    data = output.data[kind]
    path.write_bytes(data.encode() if kind == "image/svg+xml" else base64.b64decode(data))
    alt = ran.cell.options.fig_alt
    attributes = [f'fig-alt="{_quoted(alt)}"'] if alt else []
    # a "retina" figure carries its intended width, in CSS pixels
    width = output.metadata.get(kind, {}).get("width")
    attributes += [f"width={width}px"] if width else []
    return f"![]({path}){{{' '.join(attributes)}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return " ".join(escaped.split())
