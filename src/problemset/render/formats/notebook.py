"""The executed notebook: the document's prose and code, with the outputs of that same run."""

from pathlib import Path
from typing import Any

import nbformat

from problemset.render.execution.kernel import Executed, RanCell
from problemset.render.formats import citations
from problemset.render.formats.reading import readable

Labels = dict[str, tuple[str, str]]


def to_notebook(executed: Executed, labels: Labels, metadata: dict[str, Any], folder: Path) -> str:
    """Write the notebook; the same document and outputs give the same text.

    Args:
        executed: the document after its cells were run.
        labels: title and number of every label, so that prose says "Figure 3" as the PDF does.
        metadata: the document's title, subtitle, author, date, abstract and bibliography.
        folder: the document's, from which the bibliography is found.

    Returns:
        The text of an .ipynb file (nbformat 4.5).

    Raises:
        RenderError: a citation cannot be resolved.
    """
    notebook = _new_notebook()
    notebook.metadata["title"] = str(metadata.get("title", ""))
    notebook.cells = [_markdown_cell("title", _title(metadata))]
    for index, chunk in enumerate(executed.chunks, 1):
        if isinstance(chunk, RanCell):
            notebook.cells.append(_code_cell(f"code-{index:03}", chunk))
            text = readable(_caption(chunk, labels), labels)
        else:
            text = readable(chunk.text, labels)
        if text.strip():
            notebook.cells.append(_markdown_cell(f"prose-{index:03}", text.strip()))
    prose = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    texts, works = citations.resolve([cell.source for cell in prose], metadata, folder)
    for cell, text in zip(prose, texts, strict=True):
        cell.source = text
    if works:
        title = metadata.get("reference-section-title", "References")
        notebook.cells.append(_markdown_cell("references", f"# {title}\n\n{works}"))
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def to_quarto_notebook(executed: Executed, front_matter: str) -> str:
    """Write the notebook that Quarto renders without running it; prose keeps Quarto's markup.

    Args:
        executed: the document after its cells were run.
        front_matter: the document's options as YAML.

    Returns:
        The text of an .ipynb file (nbformat 4.5).
    """
    notebook = _new_notebook()
    notebook.cells = [nbformat.v4.new_raw_cell(f"---\n{front_matter}---", id="options")]
    for index, chunk in enumerate(executed.chunks, 1):
        if isinstance(chunk, RanCell):
            notebook.cells.append(_code_cell(f"code-{index:03}", chunk))
        else:
            notebook.cells.append(_markdown_cell(f"prose-{index:03}", chunk.text))
    return nbformat.writes(notebook)


def _new_notebook() -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook()
    notebook.metadata.update(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python", "file_extension": ".py"},
    )
    return notebook


def _title(metadata: dict[str, Any]) -> str:
    authors = ", ".join(metadata.get("author", []))
    byline = " · ".join(part for part in (authors, str(metadata.get("date", ""))) if part)
    subtitle = f"**{metadata['subtitle']}**" if metadata.get("subtitle") else ""
    parts = (f"# {metadata.get('title', '')}", subtitle, byline, metadata.get("abstract", ""))
    return "\n\n".join(part.strip() for part in parts if part)


def _caption(ran: RanCell, labels: Labels) -> str:
    """Caption of a figure or table below its cell, with its number."""
    options = ran.cell.options
    if not ran.outputs or options.label not in labels:
        return ""
    return f"**{' '.join(labels[options.label])}.** {options.fig_cap or options.tbl_cap}"


def _markdown_cell(identifier: str, text: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(text, id=identifier)


def _code_cell(identifier: str, ran: RanCell) -> nbformat.NotebookNode:
    tags = list(ran.cell.options.tags)
    if ran.count is None and "nbval-skip" not in tags:
        tags.append("nbval-skip")  # otherwise nbval would run a cell that the report does not run
    node = nbformat.v4.new_code_cell(ran.cell.source, id=identifier, execution_count=ran.count)
    node.outputs = [nbformat.from_dict(output) for output in ran.outputs]
    if ran.cell.options.fig_alt:
        for output in node.outputs:  # where nbconvert and Jupyter look for it
            for kind in output.get("data", {}):
                if kind.startswith("image/"):
                    output.metadata[kind] = {"alt": ran.cell.options.fig_alt}
    if tags:
        node.metadata["tags"] = tags
    return node
