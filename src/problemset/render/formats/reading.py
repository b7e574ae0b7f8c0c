"""Prose for the notebook, with Quarto's markup that Jupyter cannot render put into words."""

import re

_HEADING = re.compile(r"^(#{1,6} .*?)\s*\{[^{}]*\}\s*$")
_DIV = re.compile(r"^\s*:{3,}\s*(\{.*\}|[\w-]*)\s*$")
_MACRO = re.compile(r"^\\(re)?newcommand\b.*$")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_EQUATION_LABEL = re.compile(r"\$\$\s*\{#(eq-[\w-]+)\}")
_CAPTION_LABEL = re.compile(r"^(:\s.*?)\s*\{#(tbl-[\w-]+)[^}]*\}\s*$")
_IMAGE_ATTRIBUTES = re.compile(r"(!\[[^\]]*\]\([^)]*\))\{[^}]*\}")
_INNER_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(#[\w-]+\)(\{[^}]*\})?")
_CITED = r"-?@([a-z]+-[\w-]+)"
_BRACKETED = re.compile(rf"\[({_CITED}(?:;\s*{_CITED})*)\]")
_CALLOUTS = ("note", "tip", "warning", "important", "caution")
_PLAIN_DIVS = {
    **{f"callout-{kind}": f"**{kind.title()}.**" for kind in _CALLOUTS},
    **{kind: f"*{kind.title()}.*" for kind in ("proof", "remark", "solution")},
}


def readable(text: str, labels: dict[str, tuple[str, str]]) -> str:
    """Spell out cross references as "Figure 3", drop attributes, and title theorems and callouts.

    Args:
        text: markdown between two cells.
        labels: title and number of every label, such as ("Figure", "3") for `fig-x`.
    """
    lines: list[str] = []
    fence = ""
    for line in text.splitlines():
        marker = _FENCE.match(line)
        if marker and (not fence or line.strip() == fence):
            fence = "" if fence else marker.group(1)
            lines.append(line)
        else:
            # code is shown as it is written
            lines.append(line if fence else _line(line, labels))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def _line(line: str, labels: dict[str, tuple[str, str]]) -> str:
    if div := _DIV.match(line):
        return _opened(div.group(1), labels)
    if _MACRO.match(line):
        # Jupyter reads a macro only inside a formula
        return f"${line.strip()}$"
    line = _HEADING.sub(r"\1", line)
    line = _IMAGE_ATTRIBUTES.sub(r"\1", line)
    line = _INNER_LINK.sub(r"\1", line)  # Jupyter has other anchors
    line = _CAPTION_LABEL.sub(lambda found: _caption(found, labels), line)
    line = _EQUATION_LABEL.sub(lambda found: _tag(found, labels), line)
    line = _BRACKETED.sub(lambda found: _references(found.group(1), labels), line)
    return _references(line, labels, bare=True)


def _opened(attributes: str, labels: dict[str, tuple[str, str]]) -> str:
    """Text that replaces the line that opens or closes a div."""
    label = re.search(r"#([\w-]+)", attributes)
    if label and label.group(1) in labels:
        name = re.search(r'name="([^"]*)"', attributes)
        return f"**{' '.join(labels[label.group(1)])}{f' ({name.group(1)})' if name else ''}.**"
    if title := re.search(r'title="([^"]*)"', attributes):
        return f"**{title.group(1)}.**"
    return next((words for name, words in _PLAIN_DIVS.items() if f".{name}" in attributes), "")


def _caption(found: re.Match[str], labels: dict[str, tuple[str, str]]) -> str:
    label = labels.get(found.group(2))
    text = found.group(1)[1:].strip()
    return f"**{' '.join(label)}:** {text}" if label else text


def _tag(found: re.Match[str], labels: dict[str, tuple[str, str]]) -> str:
    label = labels.get(found.group(1))
    return rf" \tag{{{label[1]}}}$$" if label else "$$"


def _references(text: str, labels: dict[str, tuple[str, str]], bare: bool = False) -> str:
    """Replace known labels by words; references in brackets are listed with commas."""
    names = re.findall(_CITED, text)
    if not names or (not bare and not all(name in labels for name in names)):
        return text if bare else f"[{text}]"

    def words(found: re.Match[str]) -> str:
        title, number = labels.get(found.group(1), ("", ""))
        if not number:
            return found.group(0)
        return number if found.group(0).startswith("-") else f"{title} {number}"

    replaced = re.sub(_CITED, words, text)
    return replaced if bare else replaced.replace(";", ",")
