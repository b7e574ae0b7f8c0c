"""Citations for the notebook, which has no pandoc of its own: names, years, and the works."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pypandoc

from problemset.render.errors import RenderError

_KEY = r"-?@[A-Za-z][\w:.+/]*\w"
_CODE = (
    r"(?P<code>^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
)
_CITATION = re.compile(
    rf"{_CODE}|\[[^\[\]@]*{_KEY}[^\[\]]*\]|(?<![\w\\@/.-]){_KEY}", re.MULTILINE | re.DOTALL
)


def resolve(texts: Sequence[str], metadata: dict[str, Any], folder: Path) -> tuple[list[str], str]:
    """Replace citations such as `[@kingma2014]` by names and years.

    Args:
        texts: markdown in which, code aside, only citations have an @ before a word.
        metadata: the document's; without a `bibliography`, the texts stay as they are.
        folder: the document's, from which the bibliography is found.

    Returns:
        The texts, and the list of the works cited as markdown, empty if none is.

    Raises:
        RenderError: pandoc fails, or does not know a work.
    """
    found = [each for text in texts for each in _CITATION.finditer(text) if not each["code"]]
    cited = list(dict.fromkeys(each[0] for each in found))
    if "bibliography" not in metadata or not cited:
        return list(texts), ""
    files = metadata["bibliography"]
    files = [files] if isinstance(files, str) else files
    command = [pypandoc.get_pandoc_path(), "--from=markdown", "--to=commonmark-raw_html"]
    command += ["--wrap=none", "--citeproc", "--fail-if-warnings"]
    command += [f"--bibliography={file}" for file in files]
    if "csl" in metadata:
        command += [f"--csl={metadata['csl']}"]
    done = subprocess.run(
        command, input="\n\n".join(cited).encode(), capture_output=True, cwd=folder, check=False
    )
    if done.returncode:
        raise RenderError(f"citations: {done.stderr.decode(errors='replace').strip()[:300]}")
    paragraphs = done.stdout.decode().strip().split("\n\n")
    names = dict(zip(cited, paragraphs, strict=False))  # the works follow
    replaced = [_CITATION.sub(lambda each: names.get(each[0], each[0]), text) for text in texts]
    return replaced, "\n\n".join(paragraphs[len(cited) :])
