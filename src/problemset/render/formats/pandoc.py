"""Convert markdown with pandoc; its warnings count as errors."""

import json
import re
import subprocess
from importlib import resources
from pathlib import Path

import pypandoc

from problemset.render.errors import DocumentError, RenderError
from problemset.render.source.document import Document
from problemset.render.source.settings import Settings

_REFUSAL = re.compile(r"REFUSED<(.*?)>NEAR<(.*?)>", re.DOTALL)
# Without wrapping, tables with long rows keep their natural widths, and no word can end up at the
# start of a line where it would be read as markup.
_NEVER_WRAP = ["--wrap=none", "--columns=9999"]
# A table's header that is one formula has no name for programs that do not read MathML.
_FORMULA_HEADER = re.compile(
    r"(<th\b[^>]*><math)((?:(?!</th>).)*?<annotation [^>]*>(.*?)</annotation)", re.DOTALL
)


def to_typst(document: Document, text: str, settings: Settings, work: Path) -> str:
    """The document as Typst source.

    Args:
        document: source of the text; relative paths start from its folder.
        text: pandoc's markdown.
        settings: for the Typst format.
        work: a scratch folder.

    Raises:
        DocumentError: for something in the text that cannot be rendered.
        RenderError: for pandoc's own errors and warnings.
    """
    extra = ["--to=typst", "--standalone", f"--template={_ours('paper.typ')}"]
    extra += ["--syntax-highlighting=idiomatic"]
    for name, value in settings.variables.items():
        extra += ["--variable", f"{name}={value}"]
    if settings.number_sections:
        extra += ["--variable", "section-numbering=1.1"]
    return _pandoc(document, text, settings, work, "paper.lua", extra)


def to_html(document: Document, text: str, settings: Settings, work: Path) -> str:
    """The document as one HTML file that needs no network; arguments as in `to_typst`."""
    extra = ["--to=html5", "--standalone", "--embed-resources", "--mathml"]
    # the title is the page's first heading, so the document's levels move down by one
    extra += ["--shift-heading-level-by=1"]
    extra += ["--toc", f"--toc-depth={settings.toc_depth + 1}"] if settings.toc else []
    end = work / "end.html"
    end.write_text(f'</main>\n<script src="{_ours("reader.js")}"></script>', encoding="utf-8")
    css = (_ours("page.css"), _ours("reader.css"), *settings.look.css)
    extra += [f"--css={path}" for path in css]
    extra += [f"--include-after-body={end}"]
    page = _pandoc(document, text, settings, work, "page.lua", extra)
    return _FORMULA_HEADER.sub(r'\1 aria-label="\3"\2', page)


def labels(work: Path) -> dict[str, tuple[str, str]]:
    """Title and number of every label, such as ("Figure", "3") for `fig-x`; after a conversion."""
    listed = json.loads((work / "labels.json").read_text(encoding="utf-8"))
    return {name: (title, number) for name, title, number in listed}


def _ours(name: str) -> Path:
    return Path(str(resources.files("problemset.render") / name))


def _pandoc(
    document: Document, text: str, settings: Settings, work: Path, drawing: str, extra: list[str]
) -> str:
    metadata_file = work / "metadata.json"
    metadata_file.write_text(json.dumps(settings.metadata, ensure_ascii=False), encoding="utf-8")
    command = [pypandoc.get_pandoc_path(), "--from=markdown", *_NEVER_WRAP, "--fail-if-warnings"]
    command += [f"--metadata-file={metadata_file}"]
    command += [f"--metadata=labels-file:{work / 'labels.json'}"]
    if settings.number_sections:
        command += ["--number-sections", "--metadata=number-sections:true"]
    look, citeproc = settings.look, ["--citeproc"] if "bibliography" in settings.metadata else []
    early = [_ours("refusals.lua"), *look.filters, _ours("names.lua"), _ours("crossref.lua")]
    command += [f"--lua-filter={path}" for path in early] + citeproc
    command += [f"--lua-filter={path}" for path in (*look.late_filters, _ours(drawing))]
    command += [f"--include-in-header={path}" for path in _header_files(look.header, work)]
    command += extra
    finished = subprocess.run(
        command, input=text.encode(), capture_output=True, cwd=document.path.parent, check=False
    )
    complaint = finished.stderr.decode(errors="replace")
    if finished.returncode != 0 or complaint.strip():
        raise _explained(document, complaint)
    return finished.stdout.decode()


def _header_files(header: tuple[Path | str, ...], work: Path) -> list[Path]:
    """The files among them, and the texts written to files."""
    for index, part in enumerate(header):
        if isinstance(part, str):
            (work / f"header-{index}").write_text(part, encoding="utf-8")
    parts = enumerate(header)
    return [part if isinstance(part, Path) else work / f"header-{i}" for i, part in parts]


def _explained(document: Document, complaint: str) -> DocumentError | RenderError:
    if refusal := _REFUSAL.search(complaint):
        problem, needle = refusal.groups()
        return DocumentError(document.path, _line_of(document, needle), problem)
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith("Failing because")]
    needle = next((line for line in kept[1:2]), "")
    line = _line_of(document, needle)
    where = f"{document.path.name}:{line}" if line else document.path.name
    return RenderError(f"{where}: pandoc refuses it: {' '.join(kept)[:400]}")


def _line_of(document: Document, needle: str) -> int | None:
    """The first line of the document that contains the first line of `needle`."""
    lines = document.path.read_text(encoding="utf-8").splitlines()
    start = needle.strip().split("\n")[0]
    found = [number for number, line in enumerate(lines, 1) if start and start in line]
    return found[0] if found else None
