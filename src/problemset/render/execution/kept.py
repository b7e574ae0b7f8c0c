"""What a document's code gave, kept on disk, and used again while nothing of it has changed."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from problemset import file_io, inputs
from problemset.render import escape
from problemset.render.execution import kernel
from problemset.render.execution.kernel import Outcome, code_of
from problemset.render.source.document import Document


class Kept:
    """Values on disk, each with all that it depended on."""

    def __init__(self, folder: Path, variables: tuple[str, ...] = ()) -> None:
        """Name the folder, which is made when it is needed.

        Args:
            folder: for the files.
            variables: beginnings of the names of environment variables that count.
        """
        self._folder = folder
        self._variables = variables

    def call(self, name: str, function: Callable[[], None]) -> None:
        """Call a function of this process, unless nothing has changed since it last ended well.

        Args:
            name: names the file.
            function: its value is what it leaves on disk.
        """
        if self._load(name, []) is None:
            inputs.start()
            function()
            self._save(name, [], {"inputs": inputs.found()})

    def outcome(self, document: Document, run_by_default: bool) -> Outcome | None:
        """What the document's code gave; None if that is unknown, or something has changed."""
        kept = self._load(document.path.stem, code_of(document, run_by_default))
        return None if kept is None else Outcome(**kept)

    def keep(self, document: Document, run_by_default: bool, outcome: Outcome) -> None:
        """Save what the document's code gave.

        Raises:
            WriteError: the folder cannot be written.
        """
        self._save(document.path.stem, code_of(document, run_by_default), asdict(outcome))

    def files(self, name: str) -> list[Path]:
        """Files and modules on which a kept value depends."""
        try:
            content = json.loads((self._folder / f"{name}.json").read_text(encoding="utf-8"))
            found = content["value"]["inputs"]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        return [Path(path) for path in (*found["modules"], *found["files"])]

    def _key(self, code: list[Any]) -> Any:
        # the values of inline code are formatted here and not in the kernel
        own = [Path(str(module.__file__)).read_text("utf-8") for module in (kernel, escape)]
        # compared as JSON, in which tuples have become lists
        return json.loads(json.dumps([code, own, inputs.surroundings(self._variables)]))

    def _load(self, name: str, code: list[Any]) -> dict[str, Any] | None:
        file_io.make_folder(self._folder)  # so that it is there before folders are described
        try:
            content = json.loads((self._folder / f"{name}.json").read_text(encoding="utf-8"))
            value: dict[str, Any] = content["value"]
            same = content["key"] == self._key(code) and inputs.unchanged(value["inputs"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return value if same else None

    def _save(self, name: str, code: list[Any], value: dict[str, Any]) -> None:
        content = json.dumps({"key": self._key(code), "value": value})
        file_io.write(self._folder / f"{name}.json", content)
