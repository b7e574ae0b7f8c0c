"""Wheels of the packages that a notebook imports, so that it runs where they are not installed."""

import base64
import hashlib
import importlib.util
import re
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

FOLDER = "code"
"""Folder of a submission for the wheels; no grader reads it."""
_WHEEL = "Wheel-Version: 1.0\nGenerator: problemset\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_COPIED = ("METADATA", "entry_points.txt", "licenses/LICENSE")
_LEFT_OUT = re.compile(r"/(__pycache__|[^/]+\.egg-info)/")
_SAME_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can store


def write(package: str, folder: Path, further: Mapping[str, Path]) -> Path | None:
    """Write an installed package as a wheel; the same files give the same bytes.

    Args:
        package: its name, which is also that of its distribution.
        folder: where the wheel is written.
        further: extra files by their names in the wheel; they replace the package's own.

    Returns:
        The wheel, or None for what is no installed package, such as a module of a project.
    """
    try:
        installed = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None
    spec = importlib.util.find_spec(package)
    assert spec is not None, "a package that is installed can be found"
    if not spec.submodule_search_locations:
        return None
    source = Path(spec.submodule_search_locations[0])
    content = {
        path.relative_to(source.parent).as_posix(): path.read_bytes()
        for path in sorted(source.rglob("*"))
        if path.is_file() and not _LEFT_OUT.search(path.as_posix())
    }
    content |= {name: path.read_bytes() for name, path in further.items()}
    stem = f"{package}-{installed.version}"
    about = {"WHEEL": _WHEEL} | {name: installed.read_text(name) for name in _COPIED}
    content |= {f"{stem}.dist-info/{name}": text.encode() for name, text in about.items() if text}
    record = f"{stem}.dist-info/RECORD"
    rows = [f"{name},{_digest(data)},{len(data)}" for name, data in content.items()]
    content[record] = "\n".join([*rows, f"{record},,", ""]).encode()
    target = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name, _SAME_TIME), data, zipfile.ZIP_DEFLATED)
    return target


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
    return f"sha256={digest.rstrip('=')}"
