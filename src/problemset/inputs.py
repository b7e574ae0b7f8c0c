"""What a run depended on: its modules, the files that it opened, and the folders around them.

`start` listens, from then on, to every file that this process opens. `found` describes those files
as they are afterwards, and `unchanged` tells later whether anything of it is different. Python's
own files and installed libraries are left out; `surroundings` has their versions. Not noticed are
files that another process or native code opens (such as a database), what comes from a network, and
a file of which it is only asked whether it is there, in a folder of which nothing is opened or
listed.
"""

import ast
import hashlib
import os
import platform
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_INSTALLED = tuple(
    os.path.realpath(sysconfig.get_path(name)) + os.sep
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_CLOCK_SECONDS = 0.05  # a file's date may lag behind the clock
_SYSTEM = ("/proc/", "/sys/", "/dev/")
_opened: set[str] = set()
_written: set[str] = set()
_listed: set[str] = set()
_started: list[float] = []

Found = dict[str, dict[str, Any]]
"""Under "modules" path to source text; under "files" path to SHA-256, None if it is missing; under
"listed" folder to the names in it, under "around" to those of its files alone."""


def start() -> None:
    """Listen to the files that this process opens; what was opened before is forgotten."""
    for noted in (_opened, _written, _listed):
        noted.clear()
    if not _started:  # a hook cannot be removed
        sys.addaudithook(_hear)
    _started[:] = [time.time() - _CLOCK_SECONDS]


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("open", "os.rename", "os.listdir", "os.scandir"):
        return
    path = arguments[1] if event == "os.rename" else arguments[0]
    # modules are found by themselves, and Python lists many folders to find them
    imported = sys._getframe(1).f_code.co_filename.startswith("<frozen importlib")
    if not isinstance(path, str | bytes | os.PathLike) or imported:
        return
    name = os.path.abspath(os.fsdecode(path))
    (_opened if event in ("open", "os.rename") else _listed).add(name)
    if event == "os.rename" or (event == "open" and arguments[2] & os.O_ACCMODE != os.O_RDONLY):
        _written.add(name)


def found() -> Found:
    """Describe what was opened since `start`, and all modules that are loaded."""
    sources = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    modules = {os.path.abspath(path) for path in sources if path and path.endswith(".py")}
    files = {path for path in _opened.copy() if _counts(path)} - modules
    # a file that was looked for in vain may appear, also one that nobody tried to open
    around = {os.path.dirname(path) for path in files} - {tempfile.gettempdir()}
    listed = {path for path in _listed.copy() if _counts(path)}
    return {
        "modules": {path: _as_read(path, _text) for path in sorted(modules) if _counts(path)},
        "files": {path: _as_read(path, _digest) for path in sorted(files)},
        "around": {path: _names(path, folders=False) for path in sorted(around)},
        "listed": {path: _names(path) for path in sorted(listed)},
    }


def unchanged(before: Found) -> bool:
    """Whether everything that `found` described is as it was; comments in modules do not count."""
    return (
        all(_same_code(text, _text(path)) for path, text in before["modules"].items())
        and all(_names(path, False) == names for path, names in before["around"].items())
        and all(_names(path) == names for path, names in before["listed"].items())
        and all(_digest(path) == digest for path, digest in before["files"].items())
    )


def surroundings(prefixes: tuple[str, ...]) -> Mapping[str, Any]:
    """Python's version, those of the installed libraries, and variables with one of the prefixes.

    A library counts as changed when it is installed again.
    """
    places = {Path(folder) for folder in _INSTALLED if os.path.isdir(folder)}
    libraries = (path for place in places for path in place.glob("*.dist-info"))
    return {
        "python": [sys.version, platform.platform()],
        "libraries": sorted([path.name, path.stat().st_mtime_ns] for path in libraries),
        "variables": {k: v for k, v in sorted(os.environ.items()) if k.startswith(prefixes)},
    }


def _as_read(path: str, describe: Callable[[str], str | None]) -> str | None:
    """Describe a file, unless someone has changed it since `start`, perhaps after it was read."""
    try:
        dates = os.stat(path)  # a file may be moved here with its old date
        changed = path not in _written and max(dates.st_mtime, dates.st_ctime) > _started[0]
    except OSError:
        changed = False
    return "changed while it was read" if changed else describe(path)


def _counts(path: str) -> bool:
    scratch = os.environ.get("IPYTHONDIR", os.devnull)  # of the kernel, which removes it
    passing = path.startswith((*_SYSTEM, scratch))
    return not passing and not os.path.realpath(path).startswith(_INSTALLED)


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _same_code(before: str | None, after: str | None) -> bool:
    if before == after or before is None or after is None:
        return before == after
    try:
        return ast.dump(ast.parse(before)) == ast.dump(ast.parse(after))
    except SyntaxError:
        return False


def _digest(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _names(path: str, folders: bool = True) -> list[str]:
    try:
        with os.scandir(path) as entries:
            kept = [entry.name for entry in entries if folders or not entry.is_dir()]
    except OSError:
        return []
    return sorted(name for name in kept if not name.startswith((".", "__pycache__")))
