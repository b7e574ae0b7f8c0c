"""Broken submissions made from a good one, and the checks that must notice: no more, no fewer."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
import numpy as np
import pypdfium2
import torch
import typst
from PIL import Image, ImageOps

from latentwalk.checks import contract
from latentwalk.checks.networks import NETWORKS, open_network
from latentwalk.evaluation.readings import in_chunks
from latentwalk.experiments.interpolation import lerp
from latentwalk.model_zoo import recipes
from latentwalk.training import checkpoints
from problemset.grading.evidence.outputs import pictures
from problemset.grading.submission.opened import Submission
from problemset.render.formats.pdf_reader import pdf_text

Spoil = Callable[[Path], None]
PDFIUM = threading.Lock()  # the library is not for threads, and the table spoils two at a time
_LABEL = re.compile(r"^#\| label: ([\w-]+)", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One broken submission."""

    name: str
    spoil: Spoil
    """Breaks a copy of a good submission, in place."""
    caught_by: frozenset[str]
    """The checks that must fail; all others must pass, but those of `perhaps`."""
    perhaps: frozenset[str] = frozenset()
    """The checks that fail with some weights and pass with others."""


def arrays_of(folder, item):
    with np.load(folder / f"results/{item}.npz", allow_pickle=False) as stored:
        return dict(stored)


def edit(item, **changes):
    """Replace arrays of an item: each change takes the arrays and returns the new one."""

    def spoil(folder):
        arrays = arrays_of(folder, item)
        new = {name.replace("__", "."): change(arrays) for name, change in changes.items()}
        np.savez_compressed(folder / f"results/{item}.npz", **arrays | new)

    return spoil


def both(*spoils):
    def spoil(folder):
        for each in spoils:
            each(folder)

    return spoil


def drop(item, *names):
    def spoil(folder):
        kept = {k: v for k, v in arrays_of(folder, item).items() if k not in names}
        np.savez_compressed(folder / f"results/{item}.npz", **kept)

    return spoil


def edit_json(item, change):
    """Change the content of a JSON file in place."""

    def spoil(folder):
        path = folder / f"results/{item}.json"
        content = json.loads(path.read_text("utf-8"))
        change(content)
        path.write_text(json.dumps(content), "utf-8")

    return spoil


def formula(name, change):
    """Replace a closed form of Problem 1."""
    return edit_json(
        "1", lambda content: content["formulas"].update({name: change(content["formulas"][name])})
    )


def steps(change):
    """Change every step of Problem 1: `change` takes its number and the step."""

    def all_of(content):
        content["steps"] = [change(n, step) for n, step in enumerate(content["steps"])]

    return edit_json("1", all_of)


def counterexample(**new):
    return edit_json("1", lambda content: content["counterexample"].update(new))


def proven_otherwise(content):
    """Other steps in another order, other forms of the formulas, another counter-example."""
    content["steps"] = [
        {
            "item": step["item"],
            "says": f"line {number}",
            "full_support": step["full_support"],
            "left": f"1 - 2*({step['right']})",
            "right": f"1 - 2*({step['left']})",
        }
        for number, step in enumerate(reversed(content["steps"]))
    ]
    content["formulas"] = {
        "gaussian_divergence": "(log(v_2) - log(v_1) - 1 + (v_1 + m_1**2 - 2*m_1*m_2 + m_2**2)/v_2)"
        "/2",
        "divergence_from_prior": "(mu**2 + exp(logvar) - logvar - 1)/2",
        "bound": "(1 + log(v) - v - m**2 - log(2*pi) - log(s2) - ((x - b - w*m)**2 + w**2*v)/s2)/2",
        "log_evidence": "-(log(2*pi*(s2 + w**2)) + (x - b)**2/(s2 + w**2))/2",
    }
    content["counterexample"] = {
        "q": ["1/4", "3/4"],
        "joint": ["1/8", "1/8"],
        "printed_gap": "log(1/2)/4 + 3*log(3/2)/4 + 1/4 + log(4)",
    }


def claim(name, **new):
    """Claim another number, or print it otherwise."""

    def change(content):
        next(each for each in content if each["name"] == name).update(new)

    return edit_json("claims", change)


def claims_swapped(content):
    """The GAN's numbers of 3e for the VAE's and the other way round."""
    along = [each for each in content if each["item"] == "3e"]
    for each in along:
        kind, _, what = each["name"].partition("_")
        each["name"] = f"{'vae' if kind == 'gan' else 'gan'}_{what}"


def retyped(change):
    """The PDF is another, with the text of the report after a change and nothing else."""

    def spoil(folder):
        path = folder / "report.pdf"
        with PDFIUM:
            text = json.dumps(change(pdf_text(path)), ensure_ascii=False)
        path.write_bytes(typst.compile(f"#text({text})".encode()))

    return spoil


def set_otherwise(folder):
    """The PDF has the same text in other lines, and the notebook's pictures at another size."""
    path = folder / "report.pdf"
    with PDFIUM:
        source = f"#text({json.dumps(pdf_text(path), ensure_ascii=False)})\n"
    cells = Submission(folder).notebook_cells()
    drawn = [picture for cell in cells for picture in pictures(cell.outputs)]
    with tempfile.TemporaryDirectory() as scratch:
        for number, picture in enumerate(drawn):
            paper = Image.new("RGBA", picture.size, "white")
            paper.alpha_composite(picture)
            size = (2 * picture.width // 3, 2 * picture.height // 3)
            paper.convert("RGB").resize(size).save(Path(scratch) / f"{number}.png")
            source += f'#image("{number}.png", width: 60%)\n'
        (Path(scratch) / "report.typ").write_text(source, "utf-8")
        path.write_bytes(typst.compile(Path(scratch) / "report.typ"))


def other_numbers(text):
    """Another last digit in each number that has decimals."""
    return re.sub(
        r"(?<=\d)(\.\d*)(\d)", lambda found: found[1] + str((int(found[2]) + 5) % 10), text
    )


def notebook(change):
    """Change the cells of the notebook in place: `change` takes those with code, by their label."""

    def spoil(folder):
        path = folder / "report.ipynb"
        content = nbformat.read(path, 4)
        cells = {
            label.group(1): cell
            for cell in content.cells
            if cell.cell_type == "code" and (label := _LABEL.search(cell.source))
        }
        change(cells)
        nbformat.write(content, path)

    return spoil


def saves(label, other):
    """The outputs of one cell are those of another."""

    def change(cells):
        cells[label].outputs = cells[other].outputs

    return notebook(change)


def runs(label, old, new):
    """The code of a cell is another, its outputs are the same."""

    def change(cells):
        assert old in cells[label].source
        cells[label].source = cells[label].source.replace(old, new)

    return notebook(change)


def stripped(cells):
    for cell in cells.values():
        cell.outputs = []


def never_run(cells):
    for cell in cells.values():
        cell.execution_count = None


def out_of_order(cells):
    first, second = cells["fig-cgan-losses"], cells["fig-grid"]
    counts = first.execution_count, second.execution_count
    second.execution_count, first.execution_count = counts


def a_number_altered(cells):
    data = cells["tbl-quality"].outputs[0]["data"]
    rows = data["text/markdown"].splitlines()
    rows[-1] = re.sub(r"\d", lambda digit: str((int(digit[0]) + 5) % 10), rows[-1])
    data["text/markdown"] = "\n".join(rows)


def repainted(number):
    """One of the PDF's pictures, counted from 0, is a negative of itself."""

    def spoil(folder):
        path = folder / "report.pdf"
        with PDFIUM, pypdfium2.PdfDocument(path.read_bytes()) as document:
            objects = [
                (page, found)
                for page in document
                for found in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
            ]
            page, found = objects[number]
            picture = ImageOps.invert(found.get_bitmap(render=False).to_pil().convert("RGB"))
            found.set_bitmap(pypdfium2.PdfBitmap.from_pil(picture))
            page.gen_content()
            document.save(path)

    return spoil


def remove(name):
    return lambda folder: (folder / name).unlink()


def write(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def generate(folder, network, inputs):
    return in_chunks(
        open_network(Submission(folder), network), torch.from_numpy(inputs.astype(np.float32))
    ).numpy()


def walk(points):
    """Another path between the pair's inputs, with the images that the generator makes of it."""

    def spoil(folder):
        start, end = arrays_of(folder, "2c")["inputs"]
        inputs = points(start, end).astype(np.float32)
        images = generate(folder, "gan", inputs)
        edit("2e", inputs=lambda _: inputs, strip__images=lambda _: images)(folder)

    return spoil


def line(count):
    return lambda start, end: np.linspace(start, end, count)


def uneven(start, end):
    points = start + (np.linspace(0, 1, 10) ** 1.5)[:, None] * (end - start)
    points[[0, -1]] = start, end
    return points


def on_the_sphere(start, end):
    """Ten points (10, Z) on the arc between two, equally spaced in angle, with their ends exact."""
    cosine = (start * end).sum() / np.linalg.norm(start) / np.linalg.norm(end)
    angle, t = np.arccos(cosine), np.linspace(0, 1, 10)[:, None]
    path = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)
    path[0], path[-1] = start, end
    return path.astype(start.dtype)


def off_by_one_step(start, end):
    points = np.linspace(start, end, 11)
    return points[1:]


def blended(arrays):
    first, last = arrays["strip.images"][[0, -1]]
    times = np.linspace(0, 1, 10, dtype=np.float32)[:, None, None, None]
    return (1 - times) * first + times * last


def repeated(arrays):
    """The images of a path with one shown twice, in place of the next where that differs most."""
    images = arrays["strip.images"].copy()
    step = np.square(images[1:] - images[:-1]).mean(axis=(1, 2, 3)).argmax()
    images[step + 1] = images[step]
    return images


def bent(arrays):
    bulge = np.sin(np.linspace(0, np.pi, 10, dtype=np.float32))
    bulge[[0, -1]] = 0
    return arrays["codes"] + 0.1 * bulge[:, None]


def drawn(folder):
    """A path between draws from the two posteriors; the images stay."""
    originals = torch.from_numpy(arrays_of(folder, "3c")["originals.images"])
    with torch.inference_mode():
        posterior = open_network(Submission(folder), "vae").encode(originals)
        noise = torch.randn(posterior.mu.shape, generator=torch.Generator().manual_seed(3))
        codes = lerp(*posterior.draw(noise), 10).numpy()
    edit("3c", codes=lambda _: codes)(folder)


def weak_labels(folder):
    """A grid whose labels are 0.9 instead of 1, with the images that belong to it."""
    inputs = arrays_of(folder, "4d")["inputs"]
    inputs[..., -10:] *= 0.9
    images = generate(folder, "cgan", inputs.reshape(100, -1)).reshape(10, 10, 1, 28, 28)
    edit("4d", inputs=lambda _: inputs, images=lambda _: images)(folder)


def weights(name, change):
    """Rewrite a weights file, intact in itself, with other tensors."""

    def spoil(folder):
        path = folder / f"weights/{name}.safetensors"
        tensors, metadata = checkpoints.load_weights(path)
        checkpoints.save_weights(path, change(tensors), metadata)

    return spoil


def configured(name, **fields):
    """Other words about the network than its tensors fit."""

    def spoil(folder):
        path = folder / f"weights/{name}.safetensors"
        tensors, metadata = checkpoints.load_weights(path)
        recipe = metadata.recipe
        recipe = replace(recipe, configuration=recipe.configuration | fields)
        checkpoints.save_weights(path, tensors, replace(metadata, recipe=recipe))

    return spoil


def untrained(name):
    def change(tensors):
        torch.manual_seed(3)
        kind, config = NETWORKS[name]
        own = checkpoints.under("network/", tensors)
        first = own["decoder.entry.weight"]
        labels = {"num_classes": 10} if name == "cgan" else {}
        size = first.shape[1] - labels.get("num_classes", 0)
        fresh = kind(config(latent_size=size, **labels)).state_dict()
        return tensors | {f"network/{k}": v for k, v in fresh.items()}

    return weights(name, change)


def deaf(tensors):
    """The labels' columns of the first layer are all the mean one: a label changes nothing."""
    name = "network/decoder.entry.weight"
    entry = tensors[name].clone()
    entry[:, -10:] = entry[:, -10:].mean(dim=1, keepdim=True)
    return tensors | {name: entry}


def collapsed(tensors):
    """The first layer ignores its input: every sample is the same image."""
    name = "network/decoder.entry.weight"
    return tensors | {name: torch.zeros_like(tensors[name])}


def with_nan(tensors):
    name = "network/decoder.entry.bias"
    return tensors | {name: torch.full_like(tensors[name], float("nan"))}


def swap_files(first, second):
    def spoil(folder):
        a, b = (folder / f"weights/{n}.safetensors" for n in (first, second))
        aside = folder / "aside"
        shutil.move(a, aside)
        shutil.move(b, a)
        shutil.move(aside, b)

    return spoil


def cut_in_half(name):
    def spoil(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return spoil


def one_bit(name):
    def spoil(folder):
        content = bytearray((folder / name).read_bytes())
        content[-100] ^= 1
        (folder / name).write_bytes(content)

    return spoil


def shifted(values):
    return (values + 1) % 10


def case(name, spoil, *caught_by):
    return Case(name, spoil, frozenset(caught_by))


def moved(name, spoil, *caught_by):
    """A path moved a little; whether the figure still shows its images depends on the weights."""
    return Case(name, spoil, frozenset(caught_by), perhaps=frozenset({"figure_shows_2e"}))


USES_GAN = (
    "gan_opens",
    "gan_makes_digits",
    "ten_images_regenerate",
    "path_images_regenerate",
    "noise_is_ten_times_larger",
    "quality_is_as_claimed",
    "smoothness_is_as_claimed",
)
USES_CGAN = (
    "cgan_opens",
    "cgan_obeys",
    "grid_regenerates",
    "labels_are_one_hot",
    "noise_is_ten_times_larger",
)
USES_VAE = (
    "vae_opens",
    "vae_reconstructs",
    "codes_are_encoded",
    "codes_decode",
    "quality_is_as_claimed",
    "smoothness_is_as_claimed",
)
FIGURES = tuple(f"figure_shows_{item}" for item in contract.FIGURES)
USES_PDF = ("pledge_is_word_for_word", "quality_is_quoted", "smoothness_is_quoted", *FIGURES)
USES_FORMULAS = (
    "steps_of_1a_hold",
    "divergence_is_right",
    "steps_of_1b_hold",
    "bound_is_right",
    "counterexample_refutes",
)
USES_CLAIMS = (
    "quality_is_as_claimed",
    "quality_is_quoted",
    "smoothness_is_as_claimed",
    "smoothness_is_quoted",
)

ARRAYS = [
    case(
        "ten images of other inputs",
        edit("2b", inputs=lambda a: a["inputs"][::-1].copy()),
        "ten_images_regenerate",
        "pair_is_from_the_ten",
    ),
    case(
        "ten times the same draw",
        both(
            edit(
                "2b",
                inputs=lambda a: np.repeat(a["inputs"][:1], 10, 0),
                images=lambda a: np.repeat(a["images"][:1], 10, 0),
            )
        ),
        "ten_inputs_differ",
        "pair_is_from_the_ten",
    ),
    case(
        "nine images",
        edit("2b", images=lambda a: a["images"][:9]),
        "ten_images_regenerate",
        "pair_is_from_the_ten",
        "figure_shows_2b",
    ),
    case(
        "images outside 0 to 1",
        edit("2b", images=lambda a: 2 * a["images"] - 1),
        "ten_images_regenerate",
        "pair_is_from_the_ten",
        "figure_shows_2b",
    ),
    case(
        "pair not among the ten",
        edit("2c", inputs=lambda a: a["inputs"] + 0.01),
        "pair_is_from_the_ten",
        "path_ends_are_exact",
        "path_is_straight",
    ),
    case(
        "pair's images swapped",
        edit("2c", images=lambda a: a["images"][::-1].copy()),
        "pair_is_from_the_ten",
        "pair_is_labelled",
    ),
    case(
        "pair's labels shifted by one",
        edit("2c", labels=lambda a: shifted(a["labels"])),
        "pair_is_labelled",
        "originals_are_test_digits",
    ),
    moved("nine steps", walk(line(9)), "path_has_ten_inputs"),
    moved("eleven steps", walk(line(11)), "path_has_ten_inputs"),
    case(
        "a step left out",
        edit(
            "2e",
            inputs=lambda a: np.delete(a["inputs"], 4, 0),
            strip__images=lambda a: np.delete(a["strip.images"], 4, 0),
        ),
        "path_has_ten_inputs",
        "path_is_straight",
    ),
    case(
        "end points swapped",
        walk(lambda s, e: np.linspace(e, s, 10)),
        "path_ends_are_exact",
        "path_is_straight",
        "figure_shows_2e",
    ),
    moved("off by one step", walk(off_by_one_step), "path_ends_are_exact", "path_is_straight"),
    moved("slerp passed off as linear", walk(on_the_sphere), "path_is_straight"),
    case("unequal steps on the line", walk(uneven), "path_is_straight", "figure_shows_2e"),
    case(
        "pixel blend passed off as the path's images",
        edit("2e", strip__images=blended),
        "path_images_regenerate",
    ),
    case(
        "path's images in reverse",
        edit("2e", strip__images=lambda a: a["strip.images"][::-1].copy()),
        "path_images_regenerate",
        "figure_shows_2e",
    ),
    case(
        "one image of the path repeated",
        edit("2e", strip__images=repeated),
        "path_images_regenerate",
        "figure_shows_2e",
    ),
    case(
        "originals that are no test digits",
        edit("3c", originals__images=lambda a: 1 - a["originals.images"]),
        "originals_are_test_digits",
        "codes_are_encoded",
    ),
    case(
        "originals of the wrong digits",
        edit("3c", originals__images=lambda a: a["originals.images"][::-1].copy()),
        "originals_are_test_digits",
        "codes_are_encoded",
    ),
    case(
        "codes from noise instead of the encoder",
        edit(
            "3c",
            codes=lambda a: np.linspace(
                *np.random.default_rng(1).normal(size=(2, a["codes"].shape[1])), 10
            ).astype(np.float32),
        ),
        "codes_are_encoded",
        "codes_decode",
    ),
    case(
        "codes drawn from the posteriors instead of their means",
        drawn,
        "codes_are_encoded",
        "codes_decode",
    ),
    case(
        "codes swapped",
        edit(
            "3c",
            codes=lambda a: a["codes"][::-1].copy(),
            strip__images=lambda a: a["strip.images"][::-1].copy(),
        ),
        "codes_are_encoded",
        "figure_shows_3c",
    ),
    case("a bent path of codes", edit("3c", codes=bent), "codes_are_straight", "codes_decode"),
    case(
        "codes of another length",
        edit("3c", codes=lambda a: a["codes"][:, :-1]),
        "codes_are_encoded",
        "codes_decode",
    ),
    case(
        "decoded images of another path",
        edit("3c", strip__images=blended),
        "codes_decode",
        "figure_shows_3c",
    ),
    case(
        "grid's images in the wrong rows",
        edit("4d", images=lambda a: np.roll(a["images"], 1, axis=0)),
        "grid_regenerates",
        "grid_shows_its_digits",
    ),
    case(
        "one image of the grid repeated",
        edit("4d", images=lambda a: np.concatenate([a["images"][:, :9], a["images"][:, :1]], 1)),
        "grid_regenerates",
        "grid_is_fresh",
    ),
    case(
        "one-hot labels shifted by one",
        edit(
            "4d",
            inputs=lambda a: np.concatenate(
                [a["inputs"][..., :-10], np.roll(a["inputs"][..., -10:], 1, -1)], -1
            ),
        ),
        "labels_are_one_hot",
        "grid_regenerates",
    ),
    case("labels of nine tenths, not one-hot", weak_labels, "labels_are_one_hot"),
    case(
        "not a number among the pixels",
        edit("4d", images=lambda a: np.where(a["images"] > 0.99, np.nan, a["images"])),
        "labels_are_one_hot",
        "grid_regenerates",
        "grid_is_fresh",
        "grid_shows_its_digits",
        "figure_shows_4d",
    ),
    case(
        "grid's images missing",
        drop("4d", "images"),
        "grid_regenerates",
        "grid_is_fresh",
        "grid_shows_its_digits",
        "figure_shows_4d",
    ),
    case(
        "whole item missing",
        remove("results/2e.npz"),
        "path_has_ten_inputs",
        "path_ends_are_exact",
        "path_is_straight",
        "path_images_regenerate",
        "figure_shows_2e",
    ),
    case(
        "an archive that is none",
        write("results/3c.npz", b"not a zip"),
        "originals_are_test_digits",
        "codes_are_encoded",
        "codes_are_straight",
        "codes_decode",
        "figure_shows_3c",
    ),
    case("no PDF", remove("report.pdf"), *USES_PDF),
    case("an empty PDF", write("report.pdf", b""), *USES_PDF),
    case("a blank PDF", retyped(lambda text: ""), *USES_PDF),
    case("a PDF of another run", retyped(other_numbers), *USES_PDF[1:]),
    case("the PDF's text without its figures", retyped(lambda text: text), *FIGURES),
    case("another figure of 2e in the PDF", repainted(4), "figure_shows_2e"),
    case("another figure of 4d in the PDF", repainted(9), "figure_shows_4d"),
    case(
        "the pledge misspelt",
        retyped(lambda text: text.replace("Duke Community", "Duke Comunity")),
        USES_PDF[0],
        *FIGURES,
    ),
    case("a PDF cut in half", cut_in_half("report.pdf"), *USES_PDF),
]

MEASURED = ("quality_is_as_claimed", "smoothness_is_as_claimed")
WEIGHTS = [
    case(
        "GAN untrained",
        untrained("gan"),
        "gan_makes_digits",
        "ten_images_regenerate",
        "path_images_regenerate",
        *MEASURED,
    ),
    case(
        "GAN collapsed to one image",
        weights("gan", collapsed),
        "gan_makes_digits",
        "ten_images_regenerate",
        "path_images_regenerate",
        *MEASURED,
    ),
    case("GAN with NaN", weights("gan", with_nan), *USES_GAN),
    case("GAN cut in half", cut_in_half("weights/gan.safetensors"), *USES_GAN),
    case("GAN with one bit changed", one_bit("weights/gan.safetensors"), *USES_GAN),
    case("GAN is a pickle", write("weights/gan.safetensors", b"\x80\x05" + 100 * b"x"), *USES_GAN),
    case("GAN said to be of another size", configured("gan", width=16), *USES_GAN),
    case("GAN said to fill the memory", configured("gan", width=1024, blocks=16), *USES_GAN),
    case("GAN said to have ten million layers", configured("gan", blocks=10**7), *USES_GAN),
    case("GAN with half a latent entry", configured("gan", latent_size=16.5), *USES_GAN),
    case("VAE said to have no latent entries", configured("vae", latent_size=0), *USES_VAE),
    case("VAE missing", remove("weights/vae.safetensors"), *USES_VAE),
    case(
        "VAE untrained",
        untrained("vae"),
        "vae_reconstructs",
        "codes_are_encoded",
        "codes_decode",
        *MEASURED,
    ),
    case(
        "conditional GAN ignores its label", weights("cgan", deaf), "cgan_obeys", "grid_regenerates"
    ),
    case("conditional GAN untrained", untrained("cgan"), "cgan_obeys", "grid_regenerates"),
    case(
        "GAN and conditional GAN swapped",
        swap_files("gan", "cgan"),
        "gan_opens",
        "gan_makes_digits",
        "ten_images_regenerate",
        "path_images_regenerate",
        "cgan_opens",
        "cgan_obeys",
        "grid_regenerates",
        "labels_are_one_hot",
        "noise_is_ten_times_larger",
        *MEASURED,
    ),
    case(
        "the VAE's weights for the conditional GAN",
        lambda folder: shutil.copy(
            folder / "weights/vae.safetensors", folder / "weights/cgan.safetensors"
        ),
        *USES_CGAN,
    ),
]

FORMULAS = [
    case(
        "divergence with the wrong sign",
        formula("gaussian_divergence", lambda f: f"-({f})"),
        "divergence_is_right",
    ),
    case(
        "divergence without its logarithm",
        formula("gaussian_divergence", lambda f: f.replace("log(v_2/v_1)/2", "0")),
        "divergence_is_right",
    ),
    case(
        "divergence from the prior without the log-variance",
        formula("divergence_from_prior", lambda f: f"({f}) + logvar/2"),
        "divergence_is_right",
    ),
    case(
        "divergences of each other's order",
        formula(
            "gaussian_divergence", lambda f: "log(v_1/v_2)/2 + (v_2 + (m_1 - m_2)**2)/(2*v_1) - 1/2"
        ),
        "divergence_is_right",
    ),
    case(
        "bound without the divergence from the prior",
        formula("bound", lambda f: f"({f}) + (m**2 + v - 1 - log(v))/2"),
        "bound_is_right",
    ),
    case(
        "bound as printed, without its logarithm",
        formula("bound", lambda f: "exp(-(x - b)**2/(2*(w**2 + s2)))/sqrt(2*pi*(w**2 + s2))"),
        "bound_is_right",
    ),
    case(
        "evidence of the noise alone",
        formula("log_evidence", lambda f: "-log(2*pi*s2)/2 - (x - b)**2/(2*s2)"),
        "bound_is_right",
    ),
    case(
        "a formula that is a program",
        formula("bound", lambda f: "__import__('os').system('touch /tmp/owned')"),
        "bound_is_right",
    ),
    case("a formula that never ends", formula("bound", lambda f: "9**9**9**9"), "bound_is_right"),
    case(
        "a formula of ten thousand brackets",
        formula("log_evidence", lambda f: "(" * 1500 + "1" + ")" * 1500),
        "bound_is_right",
    ),
    case(
        "identity as proof",
        steps(lambda n, step: step | {"right": step["left"]}),
        "steps_of_1a_hold",
        "steps_of_1b_hold",
    ),
    case(
        "residuals that are 0 by hand",
        steps(lambda n, step: step | {"left": f"0*(t - {n})", "right": "0"}),
        "steps_of_1a_hold",
        "steps_of_1b_hold",
    ),
    case(
        "one step with a wrong sign",
        steps(lambda n, step: step | {"right": f"-({step['right']})"} if n == 4 else step),
        "steps_of_1a_hold",
    ),
    case(
        "a step that holds at 1 only",
        steps(lambda n, step: step | {"left": "log(t)", "right": "t - 1"} if n == 12 else step),
        "steps_of_1b_hold",
    ),
    case(
        "steps of 1b left out",
        edit_json("1", lambda c: c.update(steps=[s for s in c["steps"] if s["item"] == "1a"])),
        "steps_of_1b_hold",
    ),
    case(
        "a counter-example that is none", counterexample(printed_gap="0"), "counterexample_refutes"
    ),
    case(
        "a counter-example of no distribution",
        counterexample(q=["1/2", "1/3"]),
        "counterexample_refutes",
    ),
    case("no formulas", remove("results/1.json"), *USES_FORMULAS),
    case("formulas that are no JSON", write("results/1.json", b"{"), *USES_FORMULAS),
]

CLAIMS = [
    case(
        "a better ratio claimed and printed",
        claim("gan_frechet_ratio", value=0.7, printed="0.25"),
        "quality_is_as_claimed",
        "quality_is_quoted",
    ),
    case(
        "a better ratio claimed",
        claim("vae_frechet_ratio", value=1.1),
        "quality_is_as_claimed",
        "quality_is_quoted",
    ),
    case(
        "number of the text altered",
        claim("vae_steadiness", printed="0.99"),
        "smoothness_is_quoted",
    ),
    case(
        "smoothness of the models swapped",
        edit_json("claims", claims_swapped),
        "smoothness_is_as_claimed",
    ),
    case(
        "a claim that is no number",
        claim("gan_sharpness_percent", printed="about .*"),
        "quality_is_as_claimed",
        "quality_is_quoted",
    ),
    case("no claims", remove("results/claims.json"), *USES_CLAIMS),
]


# the notebook, which is run again

P2, P3, P4 = (f"notebook_repeats_problem_{n}" for n in (2, 3, 4))
NOTEBOOK = [
    Case(f"notebook: {name}", spoil, frozenset(caught_by))
    for name, spoil, caught_by in (
        ("missing", remove("report.ipynb"), {P2, P3, P4, *FIGURES}),
        ("no JSON", write("report.ipynb", b"{"), {P2, P3, P4, *FIGURES}),
        ("without outputs", notebook(stripped), {P2, P3, P4, *FIGURES}),
        ("never run", notebook(never_run), {P2, P3, P4}),
        ("another seed than its outputs", runs("setup", "seed=2017", "seed=2018"), {P2, P3, P4}),
        (
            "the GAN's strip for the VAE's",
            saves("fig-vae-path", "fig-gan-path"),
            {P3, "figure_shows_3c"},
        ),
        ("losses for the ten images", saves("fig-ten", "fig-gan-losses"), {P2, "figure_shows_2b"}),
        ("a number altered in 3d", notebook(a_number_altered), {P3}),
        ("run out of order in Problem 4", notebook(out_of_order), {P4}),
        ("the grid is not drawn", runs("fig-grid", "fig_digit_grid(grid)", "fig_ten"), {P4}),
        ("the kernel exits in 4d", runs("fig-agreement", "#|", "import os; os._exit(0)\n#|"), {P4}),
    )
]


def report_again(folder, *trainings, **environment):
    """Make another report, after training some models for it, and submit that."""
    with tempfile.TemporaryDirectory() as scratch:
        made, own = Path(scratch) / "submission", {"LATENTWALK_BUILD": f"{scratch}/build"}
        program = Path(sys.executable).with_name("latentwalk")
        for arguments in (*trainings, ("render",), ("pack", made)):
            command = [program, *map(str, arguments)]
            subprocess.run(
                command, env=os.environ | own | environment, check=True, capture_output=True
            )
        shutil.rmtree(folder)
        shutil.copytree(made, folder)


def short_training(name, weights):
    """Give the options of a training with another seed, of a tenth of the steps."""
    steps, out = recipes.get(name).config.steps // 10, weights / f"{name}.safetensors"
    fewer = ("--likelihood-samples", 100) if "vae" in name else ()
    return "--steps", steps, "--seed", 5, *fewer, "--out", out


def train_again(folder):
    """Another report with models of its own, trained for a tenth of the steps with another seed."""
    with tempfile.TemporaryDirectory() as weights:
        trainings = [("train", name, *short_training(name, Path(weights))) for name in NETWORKS]
        report_again(folder, *trainings, LATENTWALK_WEIGHTS=weights)


def report_in_low_precision(folder):
    """Another report whose networks all compute as on a GPU."""
    with tempfile.TemporaryDirectory() as site:
        play = "import low_precision; low_precision.play('TensorFloat-32')\n"
        (Path(site) / "sitecustomize.py").write_text(play)
        report_again(folder, PYTHONPATH=f"{site}:{Path(__file__).parent}")


HONEST = [
    case("honest: the good submission itself", lambda folder: None),
    case("honest: another proof", edit_json("1", proven_otherwise)),
    case("honest: the PDF set otherwise", set_otherwise),
    case("honest: in a GPU's arithmetic", report_in_low_precision),
    case("honest: a tenth of the steps, another seed", train_again),
]
