"""Read the text and the pictures of a PDF."""

from collections.abc import Iterator
from pathlib import Path

import pypdfium2
from PIL import Image
from pypdfium2 import raw as pdfium

_DEEPEST = 15  # levels of nested drawings


def pdf_text(path: Path) -> str:
    """Text of all pages, as copied from a viewer; words hyphenated at a line end are rejoined."""
    return "\n".join(pdf_pages(path)).replace("\ufffe\n", "")


def pdf_pages(path: Path) -> list[str]:
    """Text of each page."""
    with pypdfium2.PdfDocument(path) as document:
        texts = [page.get_textpage().get_text_range(errors="replace") for page in document]
    return [text.replace("\r\n", "\n") for text in texts]


def pdf_pictures(path: Path, most_pixels: int) -> Iterator[Image.Image]:
    """Embedded pictures, without masked-out parts; those with more pixels are skipped."""
    with pypdfium2.PdfDocument(path) as document:
        for page in document:
            for found in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=_DEEPEST):
                width, height = found.get_px_size()
                if 0 < width * height <= most_pixels:
                    yield found.get_bitmap(render=False).to_pil()
