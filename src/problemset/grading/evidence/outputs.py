"""Compare the outputs saved in a notebook with the outputs of a second run.

Texts must be equal except for their numbers, which may differ as much as another processor makes
them differ. Pictures must look the same. The comparison covers what nbval compares, plus pictures.
"""

import base64
import binascii
import contextlib
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

SHARE, POINTS = 0.02, 0.5
"""Allowed difference of two numbers: a fraction of the larger, plus one unit of the last printed
digit, or half a point in drawings."""
BLOCK, DARKER = 8, 24.0
"""Pictures look the same if no block of BLOCK x BLOCK pixels differs by more than DARKER of 255
levels on average."""
_FORMS = ("image/svg+xml", "image/png", "text/html", "text/markdown", "text/latex", "text/plain")
_NUMBER = re.compile(r"(?<![\w.])[-+\N{MINUS SIGN}]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_EMBEDDED = re.compile(r"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)")
_ID = re.compile(r'(?<=[#"])[a-zA-Z_]*[0-9a-f]{8,}(?=[")])')
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
PIXELS_MOST = 1 << 24
_DAMAGED = (OSError, ValueError, binascii.Error, Image.DecompressionBombError)


def compared(outputs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """List what there is to compare: kind and content of each printed text, table and picture.

    For an output in several formats, only the first of SVG, PNG, HTML, Markdown, LaTeX and text
    counts. Errors and output to standard error are omitted.
    """
    found: list[tuple[str, str]] = []
    for output in outputs:
        if output["output_type"] == "stream":
            if output.get("name") != "stderr":
                found.append(("text/plain", _text(output["text"])))
            continue
        data = output.get("data", {})
        for kind in _FORMS:
            if kind in data:
                found.append((kind, _text(data[kind])))
                break
    return [(kind, content) for kind, content in found if content.strip()]


def difference(saved: Sequence[Mapping[str, Any]], again: Sequence[Mapping[str, Any]]) -> str:
    """Describe in a few words how two lists of outputs differ; empty if they agree."""
    before, after = compared(saved), compared(again)
    if [kind for kind, _ in before] != [kind for kind, _ in after]:
        return f"{len(before)} outputs were saved, but now there are {len(after)}, or other kinds"
    for (kind, old), (_, new) in zip(before, after, strict=True):
        if old != new and (what := _difference(kind, old, new)):
            return what
    return ""


def _difference(kind: str, old: str, new: str) -> str:
    if kind == "image/png":
        return "" if _same(old, new) else "a picture differs"
    if kind == "image/svg+xml":
        pictures = [_EMBEDDED.findall(text) for text in (old, new)]
        if len(pictures[0]) != len(pictures[1]):
            return "a drawing has another number of pictures"
        if not all(map(_same, *pictures)):
            return "a picture in a drawing differs"
        old, new = (_ID.sub("id", _EMBEDDED.sub("picture", text)) for text in (old, new))
    # addresses of objects are different in every run
    old, new = (_ADDRESS.sub("0x", text) for text in (old, new))
    # first the words around the numbers, then the numbers one by one
    if _NUMBER.sub("0", old) != _NUMBER.sub("0", new):
        return "a drawing differs" if "svg" in kind else "a text differs"
    for number, other in zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=True):
        if not _close(number, other, POINTS if "svg" in kind else 0.0):
            return f"{number} was saved, but now it is {other}"
    return ""


def _close(old: str, new: str, beyond: float) -> bool:
    texts = [text.replace("\N{MINUS SIGN}", "-") for text in (old, new)]
    a, b = map(float, texts)
    last = max(10.0 ** -len(text.partition(".")[2].partition("e")[0]) for text in texts)
    whole = all(text.lstrip("+-").isdigit() for text in texts)  # integers, such as labels
    unit = beyond if beyond or whole else 1.01 * last
    return abs(a - b) <= SHARE * max(abs(a), abs(b)) + unit


def pictures(outputs: Sequence[Mapping[str, Any]]) -> list[Image.Image]:
    """The pictures among the outputs, PNG or inside SVG, as RGBA; damaged ones are skipped."""
    found = []
    for kind, content in compared(outputs):
        encoded = [content] if kind == "image/png" else []
        if kind == "image/svg+xml":
            encoded = _EMBEDDED.findall(content)
        for each in encoded:
            with contextlib.suppress(*_DAMAGED):
                found.append(_opened(each))
    return found


def look_the_same(first: Image.Image, second: Image.Image) -> bool:
    """Whether two colour pictures of the same mode differ in shades at most."""
    if first.size != second.size:
        return False
    pixels = [np.asarray(picture, dtype=np.int16) for picture in (first, second)]
    off = np.abs(pixels[0] - pixels[1]).max(axis=2).astype(float)
    rows, columns = (-(-size // BLOCK) for size in off.shape)
    padded = np.pad(off, [(0, rows * BLOCK - len(off)), (0, columns * BLOCK - off.shape[1])])
    blocks = padded.reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))
    return bool(blocks.max() <= DARKER)


def _same(old: str, new: str) -> bool:
    if old == new:
        return True
    try:
        return look_the_same(_opened(old), _opened(new))
    except _DAMAGED:
        return False


def _opened(content: str) -> Image.Image:
    """Decode a base64 PNG."""
    with Image.open(io.BytesIO(base64.b64decode(content)), formats=["PNG"]) as picture:
        if picture.width * picture.height > PIXELS_MOST:
            raise ValueError(f"a picture of {picture.width} x {picture.height}")
        return picture.convert("RGBA")


def _text(content: Any) -> str:
    return "".join(content) if isinstance(content, list) else str(content)
