"""What no rendered document may have: raw TeX, text off the page, images without words."""

import ctypes
import itertools
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pypdfium2
from pypdfium2 import PdfTextPage
from pypdfium2 import raw as pdfium

from problemset.render.source.document import Prose, read_document

_RAW_TEX = re.compile(r"\\[A-Za-z]+|\$|\{\\|\^\{|_\{")
_CROSS_REFERENCE = re.compile(r"\?@|(?<!\S)@(fig|tbl|eq|sec|thm|lem|def)-[\w-]+")


def raw_tex_in_pdf(path: Path, allowed: Iterable[str] = ()) -> list[str]:
    """TeX that was printed instead of set, and cross references that were not resolved.

    Text in a monospaced font is code and may hold anything.

    Args:
        path: a PDF.
        allowed: text that is meant to be there, such as a student's name.

    Returns:
        One entry a finding: page, and the words around it; none when all is well.
    """
    found = []
    for number, page in enumerate(_text_pages(path), 1):
        text = _text(page)
        spans = [match.span() for words in allowed for match in re.finditer(_loosely(words), text)]
        for pattern in (_RAW_TEX, _CROSS_REFERENCE):
            for match in pattern.finditer(text):
                inside = any(start <= match.start() < end for start, end in spans)
                if not inside and "Mono" not in _font(page, match.start()):
                    around = text[max(0, match.start() - 20) : match.end() + 20]
                    found.append(f"page {number}: {' '.join(_readable(around).split())}")
    return found


def _text_pages(path: Path) -> Iterator[PdfTextPage]:
    with pypdfium2.PdfDocument(path) as document:
        for page in document:
            yield page.get_textpage()


def _text(page: PdfTextPage) -> str:
    """Text of a page with one entry per UTF-16 unit, indexed as in PDFium."""
    units = (pdfium.FPDFText_GetUnicode(page, index) for index in range(page.count_chars()))
    return "".join(chr(unit) for unit in units)


def _readable(units: str) -> str:
    joined = units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return joined.replace("\r\n", "\n")


def outside_margins(path: Path, margin_points: float, tolerance: float = 4.0) -> list[str]:
    """Characters right of the text block, one entry a character with its page.

    Args:
        path: a PDF.
        margin_points: the right margin.
        tolerance: how far a character may hang over, in points; a hyphen does.
    """
    found = []
    with pypdfium2.PdfDocument(path) as document:
        for number, page in enumerate(document, 1):
            edge = page.get_width() - margin_points + tolerance
            text = page.get_textpage()
            for index in range(text.count_chars()):
                character = text.get_text_range(index, 1)
                if character.strip() and text.get_charbox(index)[2] > edge:
                    found.append(f"page {number}: {character}")
    return found


def overlapping_words(path: Path, tolerance: float = 2.0) -> list[str]:
    """Pairs of words of which one is printed over the other, with their page.

    Args:
        path: a PDF.
        tolerance: how far two boxes may reach into each other in both directions, in points.
    """
    found = []
    for number, words in enumerate(word_boxes(path), 1):
        for (first, a), (second, b) in itertools.combinations(words, 2):
            wide = min(a[2], b[2]) - max(a[0], b[0])
            tall = min(a[3], b[3]) - max(a[1], b[1])
            if min(wide, tall) > tolerance:
                found.append(f"page {number}: {first} and {second}")
    return found


Box = tuple[float, float, float, float]
"""Left, bottom, right and top, in points from the lower left corner of a page."""


def _word_boxes(page: PdfTextPage) -> list[tuple[str, Box]]:
    """The words of a page in the file's order, each with the box around its letters."""
    words: list[tuple[str, Box]] = []
    letters: list[tuple[str, Box]] = []
    for index in range(page.count_chars() + 1):
        letter = page.get_text_range(index, 1) if index < page.count_chars() else " "
        box = page.get_charbox(index) if letter.strip() else (0.0, 0.0, 0.0, 0.0)
        # the two letters of a ligature have the same box
        last = letters[-1][1] if letters else box
        goes_on = box[0] >= last[0] and box[1] < last[3] and box[3] > last[1]
        if letters and not (letter.strip() and goes_on):
            lows, highs = zip(*((one[:2], one[2:]) for _, one in letters), strict=True)
            around = (*map(min, zip(*lows, strict=True)), *map(max, zip(*highs, strict=True)))
            words.append(("".join(text for text, _ in letters), around))
            letters = []
        if letter.strip():
            letters.append((letter, box))
    return words


def word_boxes(path: Path) -> list[list[tuple[str, Box]]]:
    """The words of a PDF page by page, each with its box."""
    return [_word_boxes(page) for page in _text_pages(path)]


def strayed_figures(path: Path, qmd: Path) -> list[str]:
    """Figures that do not stand between the heading above them in the source and the next one.

    Args:
        path: a PDF with an outline, such as Typst writes.
        qmd: its document, whose figures are made by cells.
    """
    with pypdfium2.PdfDocument(path) as document:
        headings = [_place(entry.get_dest()) for entry in document.get_toc()]
        headings.append((len(document), 0.0))
        captions = dict(_captions(document))
    above, figures, found = -1, 0, []
    for chunk in read_document(qmd).chunks:
        if isinstance(chunk, Prose):
            above += len(re.findall(r"^#{1,6} ", chunk.text, re.MULTILINE))
        elif chunk.options.float_kind == "fig":
            figures += 1
            if not headings[above] < captions[figures] < headings[above + 1]:
                found.append(str(chunk.options.label))
    return found


def _place(destination: pypdfium2.PdfDest) -> tuple[int, float]:
    """Page and height on it, both growing as one reads on."""
    _, position = destination.get_view()
    return destination.get_index(), -position[1]


def _captions(document: pypdfium2.PdfDocument) -> Iterator[tuple[int, tuple[int, float]]]:
    for index, page in enumerate(document):
        text = page.get_textpage()
        for found in re.finditer(r"Figure\s(\d+):", _text(text)):
            yield int(found[1]), (index, -text.get_charbox(found.start())[3])


def says_accessible(path: Path) -> bool:
    """Whether a PDF declares PDF/UA-1, which Typst writes only when it holds."""
    return b"pdfuaid:part" in path.read_bytes()


class _Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.without: list[str] = []
        self.network: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        source = given.get("src") or (given.get("href") if tag == "link" else None) or ""
        if tag == "img" and not (given.get("alt") or "").strip():
            self.without.append(source[:60])
        if source.startswith(("http:", "https:", "//")):
            self.network.append(source)


def images_without_alt(path: Path) -> list[str]:
    """The sources of a page's images that have no alternative text."""
    parser = _Images()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser.without


def loads_from_network(path: Path) -> list[str]:
    """Addresses of scripts, styles and images that a page does not carry itself."""
    parser = _Images()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser.network


def _loosely(words: str) -> str:
    """A pattern that finds the words in UTF-16 units wherever lines were broken."""
    data = "".join(words.split()).encode("utf-16-le", "surrogatepass")
    units = (chr(int.from_bytes(data[i : i + 2], "little")) for i in range(0, len(data), 2))
    return r"\s*".join(re.escape(unit) for unit in units)


def _font(page: PdfTextPage, index: int) -> str:
    buffer = ctypes.create_string_buffer(128)
    pdfium.FPDFText_GetFontInfo(page, index, buffer, len(buffer), None)
    return buffer.value.decode(errors="replace")
