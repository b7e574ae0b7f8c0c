"""Show the live figure: write its files into the build folder, and refer to them."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentwalk.data.mnist import Digits, to_unit
from latentwalk.data.shapes import NUM_CLASSES
from latentwalk.experiments.problem2 import Pair, TenSamples
from latentwalk.live import networks
from latentwalk.model_zoo.weights_files import Released
from latentwalk.models.vae import Vae
from problemset import file_io, workspace

_FILES = ("live.css", "networks.js", "live.js")
_DATA = "data.js"


@dataclass(frozen=True)
class LiveFigure:
    """The figure for the web page; a notebook says where it is, and a PDF shows nothing."""

    folder: Path
    """Where its files are."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Raw HTML in markdown for both renderers, and a sentence for a notebook."""
        # from the document's folder, so that the output names no path of this machine
        folder = Path(os.path.relpath(self.folder, workspace.project_root())).as_posix()
        html = _ours("live.html").read_text(encoding="utf-8").replace("FOLDER", folder).strip()
        says = "The live figure is on the web page, report.html."
        return {
            "text/markdown": f"```{{=html}}\n{html}\n```",
            "text/html": f"<p>{says}</p>",
            "text/plain": says,
        }


def show(
    models: Mapping[str, Released], test: Digits, samples: TenSamples, pair: Pair
) -> LiveFigure:
    """Write the figure's files into `build/live`.

    Args:
        models: the trained models in use, by name.
        test: the test digits.
        samples: the ten images to choose from.
        pair: the pair that is chosen at first.

    Raises:
        WriteError: the build folder cannot be written.
    """
    folder = workspace.build_dir() / "live"
    content = json.dumps(data(models, test, samples, pair), separators=(",", ":"))
    file_io.write_if_changed(folder / _DATA, f"const latentwalkData = {content};\n")
    for name in _FILES:
        with file_io.atomic_path(folder / name) as target:
            shutil.copyfile(_ours(name), target)
    return LiveFigure(folder)


def data(
    models: Mapping[str, Released], test: Digits, samples: TenSamples, pair: Pair
) -> dict[str, Any]:
    """Collect what the script needs; arguments as in `show`.

    Returns:
        The networks, the sizes of their inputs, the ten inputs with their labels, the pair, and for
        each digit the codes of the first two test images that show it.
    """
    gan, cgan = models["gan"].network, models["cgan"].network
    vae, judge = models["vae"].network, models["classifier"].network
    return {
        "networks": {
            "gan": networks.decoder(gan.decoder),  # type: ignore[arg-type]
            "vae": networks.decoder(vae.decoder),  # type: ignore[arg-type]
            "cgan": networks.decoder(cgan.decoder),  # type: ignore[arg-type]
            "judge": networks.classifier(judge),  # type: ignore[arg-type]
        },
        "latentSize": models["gan"].recipe.config.latent_size,
        "labelledLatentSize": models["cgan"].recipe.config.latent_size,
        "inputs": _short(samples.inputs),
        "labels": samples.labels.tolist(),
        "pair": list(pair.indices),
        "codes": _codes(vae, test),  # type: ignore[arg-type]
    }


@torch.inference_mode()
def _codes(vae: Vae, test: Digits) -> list[list[list[float]]]:
    """Codes of the first two test images of each digit, the ends of the report's own path."""
    codes = []
    for digit in range(NUM_CLASSES):
        first = (test.labels == digit).nonzero().flatten()[:2]
        codes.append(_short(vae.encode(to_unit(test.images[first])).mu.numpy()))
    return codes


def _short(rows: np.ndarray) -> list[list[float]]:
    """Round to what float32 can tell apart."""
    return [[float(f"{value:.9g}") for value in row] for row in rows]


def _ours(name: str) -> Path:
    return Path(str(resources.files("latentwalk.live") / name))
