"""Show the tables of build/bench.json in Markdown, as `make bench` left them.

With a document, as in `python bench/page.py docs/benchmarks.md`, they are written into it: below
its marker, in place of those there.
"""

import argparse
from pathlib import Path

from report_table import saved_tables

from problemset import file_io, workspace

MARKER = "<!-- What follows is written by bench/page.py from build/bench.json. -->"


def page() -> str:
    """Give all tables.

    Raises:
        SystemExit: nothing was measured yet.
    """
    tables = saved_tables()
    if not tables:
        raise SystemExit(
            f"there is no {workspace.build_dir() / 'bench.json'}: run `make bench` first"
        )
    return "\n\n".join(table.markdown() for table in tables)


def write_into(document: Path) -> None:
    """Replace what follows the marker.

    Raises:
        SystemExit: the document has no marker.
    """
    before, marker, _ = document.read_text("utf-8").partition(MARKER)
    if not marker:
        raise SystemExit(f"{document} has no line {MARKER!r}, below which the tables go")
    with file_io.atomic_path(document) as unfinished:
        unfinished.write_text(f"{before}{MARKER}\n\n{page()}\n", "utf-8")


def main() -> None:
    """Print or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("document", type=Path, nargs="?", help="holds a marker")
    document = parser.parse_args().document
    if document is None:
        print(page())
    else:
        write_into(document)


if __name__ == "__main__":
    main()
