"""Compile Typst source to a reproducible, accessible (PDF/UA-1) PDF."""

import logging
import re
from pathlib import Path
from typing import Any

import matplotlib
import typst

from problemset.render.errors import RenderError

_LOG = logging.getLogger(__name__)

# Fonts that Matplotlib ships and Typst's wheel lacks: one for characters beyond Latin, and one
# with a placeholder glyph for every character.
_LENT = {
    "DejaVu Sans": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf"),
    "Last Resort High-Efficiency": ("LastResortHE-Regular.ttf",),
}
_MISSING_GLYPH = re.compile(r"the text `\"(.+?)\"` could not be displayed")


def compile_pdf(source: str, work: Path) -> bytes:
    """Compile Typst source to a PDF.

    Typst's own fonts and DejaVu Sans are tried first, so that every machine makes the same bytes.
    This machine's fonts are used only for a character that those lack. The last resort is a
    placeholder glyph, whose text layer still holds the character.

    Args:
        source: Typst source; paths in it are absolute.
        work: a scratch folder.

    Raises:
        RenderError: when Typst refuses the source or warns.
    """
    fonts = _lend_fonts(work / "fonts", ["DejaVu Sans"])
    try:
        return _compile(source, [fonts], ["DejaVu Sans"])
    except typst.TypstError as error:
        if not (missing := _MISSING_GLYPH.search(error.message)):
            return _compile_untagged(source, fonts, error)
    character = missing.group(1)
    try:
        pdf = _compile(source, [fonts], ["DejaVu Sans"], system_fonts=True)
    except typst.TypstError:
        placeholders = ["DejaVu Sans", "Last Resort High-Efficiency"]
        everything = _lend_fonts(work / "all-fonts", placeholders)
        _LOG.warning(
            "no font here has %r: the PDF shows a placeholder, but its text has it", character
        )
        try:
            return _compile(source, [everything], placeholders)
        except typst.TypstError as error:
            return _compile_untagged(source, fonts, error)
    _LOG.warning("the PDF uses this machine's fonts, as the supplied ones lack %r", character)
    return pdf


def _lend_fonts(folder: Path, families: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lender = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name in (name for family in families for name in _LENT[family]):
        if (lender / name).is_file():
            (folder / name).write_bytes((lender / name).read_bytes())
    return folder


def _compile_untagged(source: str, fonts: Path, refused: typst.TypstError) -> bytes:
    """Compile a document that PDF/UA-1 refuses without it; report any other error as it is."""
    if "PDF/UA-1" not in refused.message:
        raise _explained(refused) from refused
    _LOG.warning("the PDF is not accessible (PDF/UA-1): %s", refused.message)
    try:
        return _compile(source, [fonts], ["DejaVu Sans"], standards=())
    except typst.TypstError as error:
        raise _explained(error) from error


def _compile(
    source: str,
    fonts: list[Path],
    fallbacks: list[str],
    system_fonts: bool = False,
    standards: Any = ("ua-1",),  # the typst package's type annotation lacks ua-1
) -> bytes:
    compiler = typst.Compiler(
        root="/",
        font_paths=fonts,
        ignore_system_fonts=not system_fonts,
        sys_inputs={"fallbacks": ",".join(fallbacks)},
    )
    pdf, warnings = compiler.compile_with_warnings(
        input=source.encode(), format="pdf", pdf_standards=list(standards)
    )
    if warnings:
        raise RenderError(f"Typst warns: {'; '.join(warning.message for warning in warnings)}")
    assert isinstance(pdf, bytes), "one PDF is one bytes object"
    return pdf


def _explained(error: typst.TypstError) -> RenderError:
    hints = f" ({'; '.join(error.hints)})" if error.hints else ""
    return RenderError(f"Typst refuses the document: {error.message}{hints}")
