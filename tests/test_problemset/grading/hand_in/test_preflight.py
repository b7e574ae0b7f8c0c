"""What a submission lacks is said before the deadline: every kind of fault, one line each."""

import os
import shutil
import socket
from contextlib import chdir

import numpy as np
import pytest
import sabotage
import torch
from matplotlib.figure import Figure
from sabotage import (
    both,
    configured,
    cut_in_half,
    drop,
    edit,
    notebook,
    one_bit,
    remove,
    saves,
    stripped,
    swap_files,
    write,
)

from latentwalk import cli, paths
from latentwalk.assignment import ASSIGNMENT
from latentwalk.checks import contract
from latentwalk.checks.networks import NETWORKS
from latentwalk.training import checkpoints
from problemset import workspace
from problemset.grading.hand_in import made_from, packing, preflight
from problemset.grading.submission.intake import IntakeError, inner_submission
from problemset.grading.submission.layout import NOTEBOOK, PAPER

NAMES = [file.name for file in contract.FILES if not file.optional]
NASTY = "\x1b[2J\r\n\u202egpj"


@pytest.fixture
def copy(good, tmp_path):
    return shutil.copytree(good, tmp_path / "copy")


@pytest.fixture
def check(capsys):
    """The command: exit code and what it says."""

    def run(folder):
        code = cli.main(["check-submission", str(folder)])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return run


def wrong(found):
    """State and name of what the contract asks for and is not as it asks."""
    return [(f.state, f.name) for f in found.findings if f.asked and f.state != "ok"]


def assert_one_printable_line_each(found):
    lines = str(found).splitlines()
    assert len(lines) == len(found.findings) + 2 + (found.inner is not None)
    assert all(line.isprintable() and len(line) < 800 for line in lines)


def no_pledge(folder):
    figure = Figure()
    figure.text(0.5, 0.5, "I adhered to nothing")
    figure.savefig(folder / "report.pdf")


def resized(name, size):
    """Weights, sound in themselves, of a network for inputs of another size."""

    def change(tensors):
        kind, config = NETWORKS[name]
        labels = {"num_classes": 10} if name == "cgan" else {}
        fresh = kind(config(latent_size=size, **labels)).state_dict()
        return {f"network/{key}": tensor for key, tensor in fresh.items()}

    return both(sabotage.weights(name, change), configured(name, latent_size=size))


def extra_tensor(tensors):
    return tensors | {f"network/{NASTY * 500}": torch.zeros(1)}


@notebook
def only_figures(found):
    for label, cell in found.items():
        if not label.startswith(("fig-", "tbl-")):
            cell.source = "import latentwalk"


GAN, VAE, CGAN = (f"weights/{name}.safetensors" for name in ("gan", "vae", "cgan"))
FAULTS = {
    "no PDF": (remove(PAPER), "missing", PAPER, "-> `make report` makes it"),
    "no notebook": (remove(NOTEBOOK), "missing", NOTEBOOK, "-> `make report` makes it"),
    "no weights": (remove(VAE), "missing", VAE, "3d, 3e -> `latentwalk train vae`"),
    "no archive": (
        remove("results/4d.npz"),
        "missing",
        "results/4d.npz",
        "-> save `images` (10, 10, 1, 28, 28), `inputs` (10, 10, 10 d + 10)",
    ),
    "no array": (
        drop("2c", "labels"),
        "missing",
        "results/2c.npz",
        "has no array labels, expected (2,) -> save `labels` (2,) in it",
    ),
    "half an archive": (
        cut_in_half("results/2b.npz"),
        "damaged",
        "results/2b.npz",
        "is no .npz file, or damaged; expected what numpy.savez writes -> save it",
    ),
    "an altered archive": (one_bit("results/3c.npz"), "damaged", "results/3c.npz", "-> save it"),
    "not a number": (
        edit("2e", inputs=lambda a: a["inputs"] * np.nan),
        "damaged",
        "results/2e.npz",
        "array inputs has 160 of 160 values NaN or infinite",
    ),
    "an altered network": (one_bit(GAN), "damaged", GAN, "was altered"),
    "half a network": (cut_in_half(CGAN), "damaged", CGAN, "is cut short or was altered"),
    "a pickle": (write(VAE, b"PK\x03\x04" + bytes(99)), "damaged", VAE, "pickle"),
    "a network of another size": (
        configured("vae", latent_size=7),
        "damaged",
        VAE,
        "weights do not fit Vae",
    ),
    "no PDF but called so": (write(PAPER, b"%PDF-1.7\n?"), "damaged", PAPER, "-> `make report`"),
    "an empty PDF": (write(PAPER, b""), "damaged", PAPER, "-> `make report` makes it again"),
    "no pledge": (no_pledge, "misfit", PAPER, "lacks the sentence 'I adhered to the Duke"),
    "half a notebook": (cut_in_half(NOTEBOOK), "damaged", NOTEBOOK, "-> `make report`"),
    "no notebook but JSON": (write(NOTEBOOK, b"[]"), "damaged", NOTEBOOK, "is not a notebook"),
    "cells that are none": (write(NOTEBOOK, b'{"cells": [1]}'), "damaged", NOTEBOOK, "not a note"),
    "a notebook not executed": (
        notebook(stripped),
        "misfit",
        NOTEBOOK,
        "was not executed: no cell has an output",
    ),
    "figures without the code": (
        only_figures,
        "misfit",
        NOTEBOOK,
        "has no code under a heading of 2a -> put the code that",
    ),
    "no code for the label": (
        notebook(lambda found: found["one-hot"].update(source="1 + 1")),
        "misfit",
        NOTEBOOK,
        "has no code under a heading of 4b",
    ),
    "a picture in a training alone": (
        notebook(lambda found: found["fig-grid"].metadata.update(tags=["training"])),
        "misfit",
        NOTEBOOK,
        "no picture under a heading of 4d",
    ),
    "no picture where one is asked for": (
        saves("fig-grid", "tbl-readings"),
        "misfit",
        NOTEBOOK,
        "no picture under a heading of 4d -> draw the images",
    ),
    "nine steps": (
        edit("2e", inputs=lambda a: a["inputs"][:9]),
        "misfit",
        "results/2e.npz",
        "inputs is (9, 16), expected (10, 16) -> save `inputs` (10, d) in it",
    ),
    "images without a channel": (
        edit("2b", images=lambda a: a["images"][:, 0]),
        "misfit",
        "results/2b.npz",
        "images is (10, 28, 28), expected (10, 1, 28, 28) -> save",
    ),
    "images outside 0 to 1": (
        edit("4d", images=lambda a: 255 * a["images"]),
        "misfit",
        "results/4d.npz",
        "to 255, expected 0 to 1 -> save `images`",
    ),
    "codes of another length": (
        edit("3c", codes=lambda a: a["codes"][:, 1:]),
        "misfit",
        "results/3c.npz",
        "codes is (10, 15), expected (10, 16) -> save",
    ),
    "an empty array": (
        edit("2c", inputs=lambda a: a["inputs"][:0]),
        "misfit",
        "results/2c.npz",
        "inputs is (0, 16), expected (2, 16)",
    ),
    "labels that are no digits": (
        edit("2c", labels=lambda a: np.array([3, 11])),
        "misfit",
        "results/2c.npz",
        "labels is [3, 11], expected whole numbers 0 to 9",
    ),
    "labels in between": (
        edit("2c", labels=lambda a: np.array([3, 1.5])),
        "misfit",
        "results/2c.npz",
        "labels is [3.0, 1.5], expected whole numbers",
    ),
    "labels in words": (
        edit("2c", labels=lambda a: np.array(["3", "4"])),
        "misfit",
        "results/2c.npz",
        "labels is text, expected numbers",
    ),
}


def test_what_was_packed_is_complete(good, check):
    code, out, err = check(good)
    assert (code, err) == (0, "")
    *lines, count, last = out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", name] for name in NAMES]
    assert count == "12 of 12 files are complete"
    assert last.startswith("Complete does not mean correct: points come from `latentwalk grade`")
    assert "->" not in out
    assert "weights/cgan.safetensors  intact, input size 170\n" in out


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_line_with_what_to_do(name, copy):
    spoil, state, file, words = FAULTS[name]
    spoil(copy)
    found = preflight.examine(ASSIGNMENT, copy)
    assert wrong(found) == [(state, file)]
    assert found.lacking == (file,)
    (line,) = [line for line in str(found).splitlines() if line.startswith(f"{state} ")]
    assert words in line
    assert " -> " in line
    assert str(copy) not in line
    assert "latentwalk-check" not in line, "the private copy is nobody's business"
    assert_one_printable_line_each(found)


def test_each_array_of_a_file_has_its_own_line(copy):
    drop("3c", "codes", "strip.images")(copy)
    found = preflight.examine(ASSIGNMENT, copy)
    assert wrong(found) == [("missing", "results/3c.npz")] * 2
    assert found.lacking == ("results/3c.npz",)
    assert "11 of 12 files are complete" in str(found)


def test_networks_of_the_wrong_kind(copy):
    swap_files("gan", "cgan")(copy)
    found = preflight.examine(ASSIGNMENT, copy)
    assert wrong(found)[:2] == [("misfit", GAN), ("misfit", CGAN)]
    assert "is one with labels, expected one without -> `latentwalk train gan`" in str(found)


def test_the_networks_decide_the_sizes(copy):
    resized("cgan", 30)(copy)
    found = preflight.examine(ASSIGNMENT, copy)
    assert wrong(found) == [("misfit", CGAN), ("misfit", "results/4d.npz")]
    assert "input size 40, expected 10 d + 10 = 170 -> train it with --latent-size 160" in str(
        found
    )
    assert "inputs is (10, 10, 170), expected (10, 10, 40)" in str(found)
    remove(CGAN)(copy)
    assert wrong(preflight.examine(ASSIGNMENT, copy)) == [("missing", CGAN)], (
        "10 d + 10 follows from the GAN"
    )
    resized("gan", 5)(copy)
    names = [name for _, name in wrong(preflight.examine(ASSIGNMENT, copy))]
    assert names == [CGAN, *(f"results/{item}.npz" for item in ("2b", "2c", "2e", "4d"))]


def test_without_networks_arrays_must_agree_with_one_another(copy):
    for name in (GAN, CGAN, VAE):
        remove(name)(copy)
    edit("2c", inputs=lambda a: a["inputs"][:, 1:])(copy)
    found = preflight.examine(ASSIGNMENT, copy)
    assert wrong(found)[3:] == [("misfit", "results/2c.npz")]
    assert "inputs is (2, 15), expected (2, 16)" in str(found)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server, chdir(path.parent):
        server.bind(path.name)


REFUSED = {
    "a link": (lambda path: path.symlink_to("2c.npz"), "is a symbolic link, expected a file"),
    "a pipe": (os.mkfifo, "is a named pipe, expected a file"),
    "a socket": (make_socket, "is a socket, expected a file"),
    "a folder": (os.mkdir, "is a folder, expected a file"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_file_is_refused(kind, copy):
    path = copy / "results" / "2b.npz"
    path.unlink()
    make, words = REFUSED[kind]
    make(path)
    found = preflight.examine(ASSIGNMENT, copy)
    assert wrong(found) == [("refused", "results/2b.npz")]
    assert f"results/2b.npz            {words} -> put a plain file there" in str(found)


def test_what_is_too_large_is_refused(copy):
    with (copy / PAPER).open("r+b") as file:
        file.truncate((64 << 20) + 1)
    found = preflight.examine(ASSIGNMENT, copy)
    assert wrong(found) == [("refused", PAPER)]
    assert "has 67108865 bytes, expected at most 67108864 -> make it smaller" in str(found)


def test_a_folder_that_is_refused_takes_all_its_files_along(copy, tmp_path):
    (copy / "results").rename(tmp_path / "elsewhere")
    (copy / "results").symlink_to(tmp_path / "elsewhere")
    found = preflight.examine(ASSIGNMENT, copy)
    expected = [("refused", name) for name in NAMES if name.startswith("results/")]
    assert wrong(found) == expected
    assert str(found).count("results is a symbolic link, expected a folder -> put a ") == 7
    assert len(found.findings) == len(NAMES)


def test_too_many_names(copy):
    for number in range(1993):
        (copy / "results" / f"{number}.txt").touch()
    assert not preflight.examine(ASSIGNMENT, copy).lacking
    for number in range(6):
        (copy / "results" / f"more{number}.txt").touch()
    found = preflight.examine(ASSIGNMENT, copy)
    assert len(found.lacking) == 7
    words = "results holds more than 2000 names, expected at most 2000 -> leave out what"
    assert words in str(found)


def test_what_the_contract_does_not_name_costs_nothing(copy, check):
    for name in ("notes.txt", "student.yml", "results/2b.json", ".DS_Store"):
        (copy / name).write_bytes(b"?")
    (copy / "results/2b .npz").write_bytes(b"?")
    (copy / "link").symlink_to("/etc")
    code, out, _ = check(copy)
    assert code == 0
    ignored = [line.split()[1] for line in out.splitlines() if line.startswith("ignored")]
    assert sorted(ignored) == [".DS_Store", "notes.txt", "results/2b.json", "student.yml"]
    refused = [line for line in out.splitlines() if line.startswith("refused")]
    assert [line.split()[1] for line in refused] == ["link", "results/2b"]
    assert "has an unusual name" in refused[1]
    assert all("-> remove it, or give it a plain name" in line for line in refused)


def test_few_lines_about_what_nothing_reads(copy):
    shutil.rmtree(copy / "code")  # known, and not told
    for number in range(200):
        (copy / f"link{number}").symlink_to("x")
        (copy / f"note{number}").touch()
    found = preflight.examine(ASSIGNMENT, copy)
    assert len(found.findings) == len(NAMES) + 51
    assert (
        found.findings[-1].says == "and 251 more"
    )  # intake itself names 100, and one for the rest
    assert found.lacking == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("results/2b.npz", "2b.npz", "is it 2b.npz? move that to results/2b.npz"),
        ("results/2b.npz", "results/2B.npz", "is it results/2B.npz? move that to results/2b.npz"),
        ("results/2b.npz", "weights/2b.npz", "is it weights/2b.npz? move that to results/2b.npz"),
        (PAPER, "Report.PDF", "is it Report.PDF? move that to report.pdf"),
        ("weights", "Weights", "is it in Weights? rename that folder to weights"),
    ],
)
def test_another_name_is_noticed(copy, old, new, words):
    (copy / old).rename(copy / new)
    found = preflight.examine(ASSIGNMENT, copy)
    assert {state for state, _ in wrong(found)} == {"missing"}
    assert f"-> {words}" in str(found)


def test_the_submission_lies_one_folder_deeper(copy, tmp_path, check):
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer" / "__MACOSX").mkdir()
    copy.rename(tmp_path / "outer" / "mine")
    code, out, _ = check(tmp_path / "outer")
    assert code == 1
    assert f"The submission seems to be {tmp_path}/outer/mine: name that folder." in out
    assert inner_submission(tmp_path / "outer", ASSIGNMENT.top_level) == tmp_path / "outer" / "mine"
    assert inner_submission(tmp_path / "outer" / "mine", ASSIGNMENT.top_level) is None
    (tmp_path / "outer" / "other").symlink_to(tmp_path / "outer" / "mine")
    assert inner_submission(tmp_path / "outer", ASSIGNMENT.top_level) == tmp_path / "outer" / "mine"
    shutil.copytree(tmp_path / "outer" / "mine", tmp_path / "outer" / "two")
    several = inner_submission(tmp_path / "outer", ASSIGNMENT.top_level)
    assert several is None, "which one is meant is unknown"


def test_an_empty_folder_lacks_everything(tmp_path, check):
    code, out, err = check(tmp_path)
    assert (code, err) == (1, "")
    *lines, count, last = out.splitlines()
    assert [line.split()[:2] for line in lines] == [["missing", name] for name in NAMES]
    assert all(" -> " in line for line in lines)
    assert count == "0 of 12 files are complete"
    assert "does not mean correct" in last


@pytest.mark.parametrize("made", ["file", "nothing", "link", "4000 characters", "nasty"])
def test_what_is_no_folder_is_one_line_and_2(tmp_path, check, made):
    path = tmp_path / {"4000 characters": "x" * 4000, "nasty": NASTY}.get(made, "submission")
    if made == "file":
        path.write_bytes(b"")
    if made == "link":
        path.symlink_to(tmp_path)
    code, out, err = check(path)
    assert (code, out) == (2, "")
    assert err.startswith("latentwalk: error: submission ")
    assert err.count("\n") == 1
    assert err.strip().isprintable()
    with pytest.raises(IntakeError):
        preflight.examine(ASSIGNMENT, path)


@pytest.mark.parametrize("words", [[], ["a", "b"], ["--fast", "a"]])
def test_bad_usage_is_2(words, capsys):
    assert cli.main(["check-submission", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_hostile_names_cannot_move_the_cursor(copy):
    for name in (NASTY, "x" * 255, f"results/{NASTY}.npz", f"results/{'y' * 251}.npz"):
        (copy / name).write_bytes(b"?")
    sabotage.weights("gan", extra_tensor)(copy)
    configured("vae", latent_size="\x1b" * 4000)(copy)
    np.savez(copy / "results/2b.npz", **{"z" * 4000: np.zeros(3)})
    np.savez(copy / "results/2c.npz", **{NASTY: np.zeros(3)})
    (copy / PAPER).write_bytes(NASTY.encode() * 500)
    (copy / NOTEBOOK).write_bytes(b'{"' + b"\x1b" * 4000 + b'": 1}')
    found = preflight.examine(ASSIGNMENT, copy)
    assert len(found.lacking) >= 6
    assert_one_printable_line_each(found)


def test_packing_ends_with_the_same_look(tmp_path, capsys, monkeypatch):
    assert cli.main(["pack", str(tmp_path / "new")]) == 0
    out = capsys.readouterr().out
    assert f"{preflight.examine(ASSIGNMENT, tmp_path / 'new')}\n" in out
    assert out.endswith(f"{tmp_path / 'new'}: 14 files\n")
    sources = packing._sources

    def without_a_file(assignment):
        found, missing = sources(assignment)
        return {k: v for k, v in found.items() if k != "results/2e.npz"}, missing

    monkeypatch.setattr(packing, "_sources", without_a_file)
    assert cli.main(["pack", str(tmp_path / "less")]) == 1
    out = capsys.readouterr().out
    assert "missing  results/2e.npz" in out
    assert "11 of 12 files are complete" in out


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A build folder of its own, with a report and its results."""
    build = shutil.copytree(
        workspace.build_dir() / "results", tmp_path / "build" / "results"
    ).parent
    for name in (PAPER, NOTEBOOK, made_from.RECORD):
        shutil.copyfile(workspace.build_dir() / name, build / name)
    monkeypatch.setenv("LATENTWALK_BUILD", str(build))
    return build


def test_packing_refuses_what_was_changed_after_the_report_was_made(built, tmp_path, capsys):
    os.utime(built / "results" / "2b.npz")
    assert cli.main(["pack", str(tmp_path / "whole")]) == 0
    with (built / "results" / "2b.npz").open("ab") as file:
        file.write(b"?")
    assert cli.main(["pack", str(tmp_path / "half")]) == 2
    says = f"{built}/results/2b.npz is not as `make report` made it; run `make report` again"
    assert says in capsys.readouterr().err
    assert not (tmp_path / "half").exists()


def test_packing_refuses_a_report_of_another_student(built, tmp_path, capsys, monkeypatch):
    changed = tmp_path / "student.yml"
    shutil.copyfile(workspace.student_file(), changed)
    monkeypatch.setattr(workspace, "student_file", lambda: changed)
    assert cli.main(["pack", str(tmp_path / "new")]) == 2
    assert "student.yml is not as it was when the report was made" in capsys.readouterr().err


def test_packing_refuses_other_weights_than_the_report_s(built, tmp_path, capsys, monkeypatch):
    mine = tmp_path / "mine"
    mine.mkdir()
    monkeypatch.setenv("LATENTWALK_WEIGHTS", str(mine))
    shutil.copyfile(paths.released_weights_dir() / "gan.safetensors", mine / "gan.safetensors")
    assert cli.main(["pack", str(tmp_path / "same")]) == 0
    tensors, metadata = checkpoints.load_weights(mine / "gan.safetensors")
    other = {name: tensor + (tensor.dim() > 0) for name, tensor in tensors.items()}
    checkpoints.save_weights(mine / "gan.safetensors", other, metadata)
    assert cli.main(["pack", str(tmp_path / "other")]) == 2
    says = f"2b.npz was made with other weights than {mine / 'gan.safetensors'}"
    assert says in capsys.readouterr().err


def test_the_folder_of_a_report_is_told_from_a_submission(copy, check):
    hint = "`latentwalk pack submission` makes one of it."
    assert hint not in check(copy)[1]
    for name in ("report.html", "report.qmd"):
        (copy / name).write_text("rendered")
        assert hint in check(copy)[1].splitlines()[-2]
        (copy / name).unlink()
    assert hint in check(workspace.build_dir())[1]


def test_packing_into_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert cli.main(["pack", str(tmp_path / "file")]) == 2
    assert f"{tmp_path / 'file'} is a file; name a folder" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_nothing_is_changed(copy):
    before = {path: path.stat().st_mtime_ns for path in [copy, *copy.rglob("*")]}
    preflight.examine(ASSIGNMENT, copy)
    assert {path: path.stat().st_mtime_ns for path in [copy, *copy.rglob("*")]} == before
