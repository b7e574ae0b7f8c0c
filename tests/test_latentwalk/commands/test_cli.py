import contextlib
import dataclasses
import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import tiny

from latentwalk import cli
from latentwalk.commands import data as data_command
from latentwalk.commands import doctor, train
from latentwalk.data import mnist
from latentwalk.data.mnist_files import DataError
from latentwalk.model_zoo import parallel, recipes, trainer, weights_files
from latentwalk.training import loop
from latentwalk.training.loop import TrainingDiverged
from latentwalk.training.tensor_file import WeightsError
from problemset import file_io, workspace
from problemset.render import engine
from problemset.render.engine import Rendered
from problemset.render.errors import DocumentError, RenderError

TINY = {"classifier": tiny.CLASSIFIER, "gan": tiny.GAN, "vae": tiny.VAE, "cgan": tiny.CGAN}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project whose models are so small that they train in a moment."""
    for name in ("ROOT", "BUILD", "DATA", "CACHE"):
        monkeypatch.delenv(f"LATENTWALK_{name}", raising=False)
    monkeypatch.setenv("LATENTWALK_ROOT", str(tmp_path))
    monkeypatch.setenv("LATENTWALK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    shrink(monkeypatch)
    return tmp_path


def shrink(monkeypatch):
    """Tiny models and digits; measuring is left to its own tests."""
    known = recipes.recipes()
    small = {n: dataclasses.replace(known[n], config=config) for n, config in TINY.items()}
    monkeypatch.setattr(recipes, "recipes", lambda: small)
    monkeypatch.setattr(trainer, "measure", lambda *_, **__: {"frechet_ratio": 2.5})
    monkeypatch.setattr(mnist, "load", lambda split: tiny.toy_digits())


@pytest.fixture
def latentwalk(capsys):
    """Runs a command; gives exit code, standard output and standard error."""

    def run(*words):
        code = cli.main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def error_line(outcome):
    """The one line on standard error of a command that was refused."""
    code, out, err = outcome
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("latentwalk: error: ")
    return err


# the top


def test_help_lists_the_commands_without_importing_torch():
    script = (
        "import sys; from latentwalk import cli; code = cli.main(['--help']); "
        "print(code, sorted({'torch', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    *lines, last = done.stdout.splitlines()
    assert last == "0 []"
    assert [line.split()[0] for line in lines if line.startswith("  ")][
        : len(cli.PROGRAM.commands)
    ] == list(cli.PROGRAM.commands)


def test_every_command_has_a_module_and_the_other_way_round():
    packages = Path(cli.__file__).parents[1]
    own, general = (
        {path.stem for path in (packages / name / "commands").glob("*.py")}
        for name in ("latentwalk", "problemset")
    )
    modules = (own | general) - {"__init__", "parsing", "main"}
    assert {name.replace("-", "_") for name in cli.PROGRAM.general} <= general
    assert modules == {command.replace("-", "_") for command in cli.PROGRAM.commands}


@pytest.mark.parametrize(
    "command",
    [
        "data",
        "train",
        "train gan",
        "sample",
        "sample cgan",
        "render",
        "pack",
        "check-submission",
        "grade",
        "doctor",
    ],
)
def test_help_of_a_command_teaches(latentwalk, command):
    code, out, _ = latentwalk(*command.split(), "--help")
    assert code == 0
    assert f"latentwalk {command.split()[0]}" in out
    assert "Example:\n" in out or "models:\n" in out


QUICK = """--help|help|walk|smaple|--hlep|init|init --hlep|data --help|data --forec|train --help
    train gan --help|train vae --help|train gna|train gan --sedd 3|train gan --steps many
    train gan --latent-size 0|train gan --out nowhere/x.safetensors|sample --help|sample gna
    sample cgan --help|sample gan|sample gan --otu x.npz|sample gan --out x.npz --count 0
    render --help|render --engin auto|pack|pack --help|pack a b|check-submission --help
    check-submission|grade --help|grade --wokers 3 x|grade nothere
    doctor --help|doctor all"""


def test_help_and_mistakes_come_before_any_large_library(project):
    words = [line.split() for line in re.split(r"[|\n]", QUICK)]
    script = (
        f"import sys, time; from latentwalk import cli\nfor words in {words}: cli.main(words)\n"
        "print(time.process_time(), {'torch', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    seconds, imported = done.stdout.splitlines()[-1].split(maxsplit=1)
    assert imported == "set()", done.stderr
    assert float(seconds) < 1, "all of them together"
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert not re.search(r"\{None|None\}|\bNone\b|\bint\b|\bfloat\b|Optional", done.stdout)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("smaple gan", "sample"),
        ("Grade x", "grade"),
        ("check_submission x", "check-submission"),
        ("check x", "check-submission"),
        ("--vresion", "--version"),
        ("help trian", "train"),
        ("train GAN", "gan"),
        ("train gan_1hot", "gan_onehot"),
        ("train gan --sedd 3", "--seed"),
        ("train gan --learning_rate 3", "--learning-rate"),
        ("train vae --likelihood 3", "--likelihood-samples"),
        ("sample gan --otu=x.npz", "--out"),
        ("sample gan -o x.npz", "--out"),
        ("grade x --note-book", "--no-notebook"),
        ("walk", None),
        ("train gan --xyz", None),
    ],
)
def test_a_mistyped_word_brings_the_one_that_was_meant(latentwalk, project, words, meant):
    line = error_line(latentwalk(*words.split()))
    found = re.search(r"; did you mean `(\S+)`\?", line)
    assert (found and found[1]) == meant


def test_what_is_missing_comes_with_an_example(latentwalk, project):
    for words, example in {
        "sample vae": "latentwalk sample vae --count 100 --seed 1 --out digits.npz",
        "pack": "latentwalk pack submission",
    }.items():
        assert f"such as in `{example}`" in error_line(latentwalk(*words.split()))


def test_no_command_shows_the_help_and_fails(latentwalk):
    code, out, err = latentwalk()
    assert (code, out) == (2, "")
    assert err == latentwalk("--help")[1]


def test_version(latentwalk):
    code, out, _ = latentwalk("--version")
    assert code == 0
    assert out.startswith("latentwalk 0.")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("walk", "there is no command 'walk' (`latentwalk --help` lists the commands)"),
        ("train", "got nothing, expected classifier, gan, vae, cgan"),
        ("train wgan", "got 'wgan'"),
        ("train --steps 3 gan", "got '--steps'"),
        ("sample classifier --out x.npz", "got 'classifier', expected gan, vae"),
        ("train gan --stepz 3", "--stepz"),
        ("train gan --steps many", "--steps"),
        ("train gan --steps", "--steps"),
        ("train gan --latent-size 0", "--latent-size is 0, expected more than 0"),
        ("train gan --num-classes 11", "--num-classes is 11, expected 0"),
        ("train vae --learning-rate -1", "--learning-rate is -1"),
        ("train gan --learning-rate nan", "--learning-rate is nan, expected a finite number"),
        ("train gan --seed -1", "--seed is -1, expected 0"),
        ("train gan --precision half", "--precision"),
        ("train gan --out gan.pt", "--out is gan.pt, expected a name that ends in .safetensors"),
        ("train gan --out nowhere/x.safetensors", "is in nowhere, which is not a folder"),
        ("train gan --latent-size 99999999999999999999", "expected 1000000000 or less"),
        ("train gan --out /proc/x.safetensors", "--out /proc/x.safetensors cannot be written"),
        ("sample gan", "the following arguments are required: --out"),
        ("sample gan --out x.npz --count abc", "--count: invalid int value: 'abc'"),
        ("pack", "the following arguments are required: FOLDER"),
        ("sample gan --out x.npz --count 0", "--count is 0, expected 1 ... 100000"),
        ("sample gan --out x.npz --count -5", "--count is -5"),
        ("sample gan --out x.npz --count 100001", "--count is 100001"),
        ("sample gan --out x.npz --count 1.5", "--count"),
        ("sample gan --out x.npz --seed -1", "--seed is -1"),
        ("sample gan --out x.npy", "--out is x.npy, expected a name that ends in .npz"),
        ("sample gan --out nowhere/x.npz", "needs the folder nowhere"),
        ("sample gan --out x.npz --weights none.safetensors", "none.safetensors is missing"),
        ("render --engine latex", "--engine"),
        ("render now", "now"),
        ("data --force", "--force"),
    ],
)
def test_a_mistake_is_one_line(latentwalk, project, words, says):
    line = error_line(latentwalk(*words.split()))
    assert says in line
    assert list(project.iterdir()) == [], "nothing was written"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ValueError("got 3,\n  expected 4"), "got 3, expected 4"),
        (file_io.WriteError("cannot write in build"), "cannot write in build"),
        (workspace.BuildBusyError("process 7 is working"), "process 7 is working"),
        (workspace.ProjectNotFoundError("no report.qmd"), "no report.qmd"),
        (DataError("MNIST could not be obtained"), "MNIST could not be obtained"),
        (WeightsError("x is missing", "missing"), "x is missing"),
        (TrainingDiverged("loss was nan"), "loss was nan"),
        (DocumentError(Path("report.qmd"), 7, "odd"), "report.qmd:7: odd"),
        (RenderError("no quarto on PATH"), "no quarto on PATH"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), "/x/y: No space left on device"),
        (OSError("odd"), "odd"),
        (ValueError(), "ValueError"),
    ],
)
def test_expected_errors_are_one_line_and_exit_2(latentwalk, monkeypatch, error, says):
    def fail(arguments):
        raise error

    monkeypatch.setattr(data_command, "run", fail)
    assert error_line(latentwalk("data")) == f"latentwalk: error: {says}\n"
    with pytest.raises(type(error)):
        cli.main(["--traceback", "data"])


@pytest.mark.parametrize("error", [RuntimeError("of PyTorch"), TypeError("ours"), KeyError("ours")])
def test_our_own_mistakes_keep_their_traceback(monkeypatch, error):
    def fail(arguments):
        raise error

    monkeypatch.setattr(data_command, "run", fail)
    with pytest.raises(type(error)):
        cli.main(["data"])


def test_ctrl_c_is_one_line_and_130(latentwalk, monkeypatch):
    def interrupt(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(data_command, "run", interrupt)
    code, out, err = latentwalk("data")
    assert (code, out) == (130, "")
    assert err == "latentwalk: interrupted; run the same command again to resume\n"


def program(words, **options):
    """Run the command line in a process of its own."""
    script = f"import sys; from latentwalk import cli; sys.exit(cli.main({words.split()}))"
    return subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize("words", ["--help", "doctor --help"])
def test_a_reader_that_goes_away_is_no_error(words):
    reader, writer = os.pipe()
    os.close(reader)
    done = program(words, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_terminal_without_the_characters_gets_others():
    ascii_only = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = program("doctor --help", env=os.environ | ascii_only, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


def test_nobody_listening_is_no_error():
    done = program("--help", preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, b"")


def test_help_fills_its_paragraphs_to_the_terminal_and_keeps_its_lists(latentwalk, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = latentwalk("grade", "--help")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 60
    assert "    results.json  for Gradescope" in lines
    assert any(len(line) > 50 for line in lines), "one line is not one word"


def test_help_of_a_command_by_its_name_after_help(latentwalk):
    assert latentwalk("help", "doctor") == latentwalk("doctor", "--help")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RuntimeError("[enforce fail] can't allocate memory: 62 GB"), "does not fit into memory"),
        (MemoryError(), "does not fit into memory"),
        (OverflowError("too\nlarge"), "cannot train this configuration: too; choose smaller"),
    ],
)
def test_what_pytorch_cannot_train_is_one_line(latentwalk, project, monkeypatch, error, says):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(trainer, "train", fail)
    assert says in error_line(latentwalk("train", "gan"))


# train


@pytest.mark.parametrize("name", ["gan", "vae", "classifier"])
def test_every_configuration_field_is_an_option_with_its_default(latentwalk, name):
    code, out, _ = latentwalk("train", name, "--help")
    assert code == 0
    words = " ".join(out.partition("options:")[2].split())
    words = re.sub(r", --no-[\w-]+", "", words)  # how a switch is turned off
    config = recipes.get(name).config
    idle = {"naming"} if name == "gan" else set()  # only a model with labels uses it
    for field in (field for field in dataclasses.fields(config) if field.name not in idle):
        _, found, after = words.partition(f" --{field.name.replace('_', '-')} ")
        assert found, field.name
        own = after.partition(" --")[0]
        assert f"(default: {getattr(config, field.name)})" in own


def test_help_shows_only_options_that_do_something_for_the_model(latentwalk):
    shown = {name: latentwalk("train", name, "--help")[1] for name in recipes.recipes()}
    for option, names in {
        "--likelihood-samples": {"vae", "vae_flow"},
        "--naming": {"cgan", "gan_onehot"},
        "--penalty": {"gan", "cgan", "gan_10d", "gan_onehot"},
        "--steps": set(shown),
    }.items():
        assert {name for name, text in shown.items() if f"  {option} " in text} == names
    assert "no option --naming" in error_line(latentwalk("train", "gan", "--naming", "1"))


def test_the_precisions_are_those_of_the_training():
    assert get_args(loop.Precision) == train.PRECISIONS


def test_after_a_training_the_next_step_is_said_and_can_be_taken(latentwalk, project):
    options = ("--precision", "float32")
    steps = {}
    (project / "mine").mkdir()
    for out in (None, "gan-5.safetensors", "mine/gan.safetensors"):
        more = ("--seed", 5, "--out", out) if out else ()
        code, text, _ = latentwalk("train", "gan", *options, *more)
        assert code == 0
        steps[out] = re.search(r"next: `([^`]+)`", text.splitlines()[-1])[1]
    assert steps[None] == "latentwalk render"
    assert steps["mine/gan.safetensors"] == "LATENTWALK_WEIGHTS=mine latentwalk render"
    assert latentwalk(*steps["gan-5.safetensors"].split()[1:])[0] == 0
    assert read(project / "images.npz")["images"].shape == (100, 1, 28, 28)


def test_training_as_it_stands_makes_the_report_s_weights(latentwalk, project):
    code, out, err = latentwalk("train", "gan", "--precision", "float32")
    assert code == 0
    weights = project / "build" / "weights" / "gan.safetensors"
    assert weights.is_file()
    assert out.startswith(f"{weights}: trained in ")
    assert "frechet_ratio" in out
    assert "gan: trained" in err
    assert weights_files.status("gan")[0][1].state == "valid"


def test_a_variant_is_kept_beside_the_report_s_weights(latentwalk, project):
    weights = project / "build" / "weights"
    latentwalk("train", "gan", "--precision", "float32")
    before = (weights / "gan.safetensors").read_bytes()
    for change in (["--latent-size", "5"], ["--seed", "1"]):
        assert latentwalk("train", "gan", "--precision", "float32", *change)[0] == 0
    assert (weights / "gan.safetensors").read_bytes() == before
    variants = [path for path in weights.iterdir() if path.stem != "gan" and path.suffix]
    assert len(variants) == 2
    assert all(path.name.startswith("gan-") for path in variants)


@pytest.mark.parametrize(
    ("name", "out", "change"),
    [
        ("gan", "build/weights/gan.safetensors", ["--seed", "1"]),
        ("gan", "build/weights/vae.safetensors", []),
        ("gan", "assets/weights/gan.safetensors", []),
        ("gan", "assets/../assets/weights/cgan.safetensors", ["--steps", "3"]),
    ],
)
def test_the_report_s_files_are_not_overwritten(latentwalk, project, name, out, change):
    for folder in ("build/weights", "assets/weights"):
        (project / folder).mkdir(parents=True)
    line = error_line(latentwalk("train", name, "--out", out, *change))
    assert "is reserved for the report's weights; choose another name" in line
    assert not (project / out).exists()


def test_training_holds_the_build_alone(latentwalk, project, monkeypatch):
    def train(recipe, **_):
        with pytest.raises(workspace.BuildBusyError), _another_process(monkeypatch):
            workspace.build_lock(wait=False).__enter__()
        raise ValueError("seen")

    monkeypatch.setattr(trainer, "train", train)
    assert "seen" in error_line(latentwalk("train", "gan"))


@contextlib.contextmanager
def _another_process(monkeypatch):
    """A process that was not started by the one that holds the lock."""
    with monkeypatch.context() as patch:
        patch.delenv("PROBLEMSET_BUILD_LOCKED")
        yield


# sample


@pytest.fixture(scope="module")
def weights_once(tmp_path_factory):
    """The weights of three tiny models, trained once."""
    folder = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("LATENTWALK_BUILD", str(folder))
        shrink(monkeypatch)
        for name in ("gan", "vae", "cgan"):
            trainer.train(recipes.get(name), precision="float32")
    return folder / "weights"


@pytest.fixture
def trained(project, weights_once):
    """The project after `latentwalk train` of gan, vae and cgan."""
    shutil.copytree(weights_once, project / "build" / "weights")
    (project / "report.qmd").write_text("# A report\n")
    return project


def read(path):
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def test_samples_are_as_the_help_says(latentwalk, trained):
    for name, entries in {"gan": 3, "vae": 3, "cgan": 13}.items():
        assert latentwalk("sample", name, "--count", 25, "--out", f"{name}.npz")[0] == 0
        arrays = read(trained / f"{name}.npz")
        assert set(arrays) == {"images", "inputs"} | ({"labels"} if name == "cgan" else set())
        assert arrays["images"].shape == (25, 1, 28, 28)
        assert arrays["images"].dtype == np.float32
        assert arrays["images"].min() >= 0
        assert arrays["images"].max() <= 1
        assert arrays["inputs"].shape == (25, entries)
    labels = arrays["labels"]
    assert labels.dtype == np.int64
    assert np.bincount(labels, minlength=10).tolist() == [3] * 5 + [2] * 5
    assert (arrays["inputs"][:, 3:].argmax(1) == labels).all()


def test_the_inputs_are_what_the_network_got(latentwalk, trained):
    import torch

    latentwalk("sample", "cgan", "--count", 4, "--out", "a.npz")
    arrays = read(trained / "a.npz")
    with torch.inference_mode():
        again = trainer.load("cgan").network(torch.from_numpy(arrays["inputs"]))
    np.testing.assert_allclose(again.numpy(), arrays["images"], atol=1e-6)


def test_the_seed_decides(latentwalk, trained):
    for out, seed in {"a": 1, "b": 1, "c": 2}.items():
        latentwalk("sample", "gan", "--count", 3, "--seed", seed, "--out", f"{out}.npz")
    first, second, third = ((trained / f"{out}.npz").read_bytes() for out in "abc")
    assert first == second
    assert first != third


def test_what_was_there_stays_when_the_disk_is_full(latentwalk, trained, monkeypatch):
    (trained / "a.npz").write_bytes(b"before")

    def full(path, **_):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    before = sorted(trained.iterdir())
    line = error_line(latentwalk("sample", "gan", "--out", "a.npz"))
    assert "No space left on device" in line
    assert (trained / "a.npz").read_bytes() == b"before"
    assert sorted(trained.iterdir()) == before


def test_out_must_not_be_a_folder(latentwalk, project):
    (project / "x.npz").mkdir()
    assert "x.npz is a folder" in error_line(latentwalk("sample", "gan", "--out", "x.npz"))


def test_without_weights_the_model_is_trained_first(latentwalk, project):
    code, _, err = latentwalk("sample", "gan", "--count", 1, "--out", "a.npz")
    assert code == 0
    assert "gan: training it, because there are no valid weights" in err
    assert (project / "build" / "weights" / "gan.safetensors").is_file()


def test_a_variant_can_be_sampled_by_its_file(latentwalk, trained):
    options = ("--precision", "float32", "--latent-size", 7, "--out", "wide.safetensors")
    assert latentwalk("train", "gan", *options)[0] == 0
    code, _, _ = latentwalk("sample", "gan", "--weights", "wide.safetensors", "--out", "a.npz")
    assert code == 0
    assert read(trained / "a.npz")["inputs"].shape == (100, 7)
    wrong = latentwalk("sample", "vae", "--weights", "wide.safetensors", "--out", "b.npz")
    assert "wide.safetensors holds gan, expected vae" in error_line(wrong)
    (trained / "wide.safetensors").write_bytes(b"\x80\x04" + bytes(100))
    bad = latentwalk("sample", "gan", "--weights", "wide.safetensors", "--out", "b.npz")
    assert "pickle" in error_line(bad)
    assert not (trained / "b.npz").exists()


# render


@pytest.fixture
def rendered(project, monkeypatch):
    """Stands in for the renderer and the weights; collects what was done, in order."""
    done = []
    (project / "report.qmd").write_text("# A report\n")

    def make(qmd, out_dir, engine, metadata, kept, prepare, progress):
        assert "PROBLEMSET_BUILD_LOCKED" in os.environ
        prepare()
        done.append((qmd.name, out_dir.name, engine))
        made = [out_dir / f"report.{end}" for end in ("pdf", "html", "ipynb")]
        return Rendered(*made, engine="embedded")

    monkeypatch.setattr(engine, "render_report", make)
    monkeypatch.setattr(weights_files, "find", lambda name: None if "gan" in name else "valid")
    monkeypatch.setattr(trainer, "train", lambda recipe: done.append(recipe.name))
    monkeypatch.setattr(parallel, "fit", lambda names: done.append(("ahead", *names)))
    monkeypatch.setattr(mnist, "obtain", lambda: done.append("data"))
    return done


def test_render_trains_what_is_missing_first(latentwalk, project, rendered):
    code, out, _ = latentwalk("render", "--engine", "embedded")
    assert code == 0
    missing = [name for name in recipes.recipes() if "gan" in name]
    made = ("report.qmd", "build", "embedded")
    assert rendered == ["data", ("ahead", *missing), *missing, made]
    assert out.splitlines() == [
        *(f"build/report.{end}" for end in ("pdf", "html", "ipynb")),
        "made by the embedded renderer",
    ]


@pytest.mark.parametrize(("words", "kept"), [((), True), (("--fresh",), False)])
def test_only_fresh_forgets_what_the_cells_gave(latentwalk, project, rendered, words, kept):
    (project / "build" / "kept").mkdir(parents=True)
    (project / "build" / "kept" / "report.json").write_text("{}")
    assert latentwalk("render", *words)[0] == 0
    assert (project / "build" / "kept" / "report.json").exists() == kept


def test_a_document_that_cannot_be_read_stops_before_anything_takes_time(
    latentwalk, project, rendered
):
    (project / "report.qmd").write_text("```{python}\n1\n")
    assert "report.qmd:1: this block is not closed" in error_line(latentwalk("render"))
    (project / "report.qmd").unlink()
    assert "report.qmd is not in" in error_line(latentwalk("render"))
    assert rendered == []


def test_a_malformed_student_file_stops_before_anything_takes_time(latentwalk, project, rendered):
    (project / "student.yml").write_text("hours: -3\n", "utf-8")
    assert "student.yml:1: " in error_line(latentwalk("render"))
    assert rendered == []


# data and doctor


def test_data_says_what_is_there(latentwalk, project, monkeypatch):
    monkeypatch.setattr(mnist, "obtain", lambda: project / "cache")
    code, out, _ = latentwalk("data")
    assert code == 0
    assert out == f"{project / 'cache'}: 40 train digits and 40 test digits, verified\n"


def states(out):
    """Subject to state, of the doctor's table; the worst where there are several."""
    found = {}
    for line in out.splitlines():
        state, *rest = line.split()
        if state in ("ok", "note", "broken") and rest:
            worst = ("", "ok", "note", "broken").index
            found[rest[0]] = max(found.get(rest[0], ""), state, key=worst)
    return found


def test_doctor_on_a_machine_where_nothing_is_broken(latentwalk, trained, monkeypatch):
    monkeypatch.setenv("PATH", str(trained))
    code, out, err = latentwalk("doctor")
    found = states(out)
    assert code == 0, out
    assert err == ""
    assert out.splitlines()[-1] == "nothing is broken"
    assert found["gan"] == found["vae"] == found["cgan"] == "ok"
    assert found["classifier"] == found["data"] == found["student"] == found["quarto"] == "note"
    assert {"python", "libraries", "device", "threads", "precision", "build", "disk"} <= set(found)
    assert "`latentwalk train classifier` trains it" in out
    assert not (trained / "cache").exists(), "the doctor downloads nothing"


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ("name:\nhours:\n", "note"),
        ("name: Ada\nhours:\n", "note"),
        ("name: Ada\nhours: 3\n", "ok"),
        ("name: Ada\nhours: many\n", "broken"),
    ],
)
def test_doctor_takes_a_student_file_that_is_not_filled_in_for_no_fault(
    latentwalk, trained, monkeypatch, written, state
):
    monkeypatch.setattr(doctor, "_machine", lambda: iter(()))
    (trained / "student.yml").write_text(written, "utf-8")
    code, out, _ = latentwalk("doctor")
    assert (code, states(out)["student"]) == (state == "broken", state)
    assert ("fill in student.yml" in out) == (state == "note")


def test_doctor_names_what_is_broken_and_exits_1(latentwalk, trained, monkeypatch):
    gan = trained / "build" / "weights" / "gan.safetensors"
    gan.write_bytes(gan.read_bytes()[:1000])
    (trained / "student.yml").write_text("hours: many\n", "utf-8")
    monkeypatch.setenv("LATENTWALK_DATA", str(trained / "nowhere"))
    code, out, _ = latentwalk("doctor")
    assert code == 1
    broken = {subject for subject, state in states(out).items() if state == "broken"}
    assert broken == {"gan", "student", "data"}
    assert out.splitlines()[-1] == "3 broken"
    mended = [line for line in out.splitlines() if line.startswith(" " * 20 + "-> ")]
    assert len(mended) >= 3


def test_doctor_tells_stale_weights_from_damaged_ones(latentwalk, trained, monkeypatch):
    small = recipes.recipes()
    grown = dataclasses.replace(small["gan"], config=dataclasses.replace(tiny.GAN, latent_size=9))
    monkeypatch.setattr(recipes, "recipes", lambda: small | {"gan": grown})
    code, out, _ = latentwalk("doctor")
    assert code == 0
    assert states(out)["gan"] == "note"
    assert "configuration field latent_size changed from 3 to 9" in out


def test_doctor_says_which_weights_were_given(latentwalk, trained, monkeypatch):
    mine = trained / "mine"
    monkeypatch.setenv("LATENTWALK_WEIGHTS", str(mine))
    code, out, _ = latentwalk("doctor")
    assert (code, states(out)["weights"]) == (1, "broken")
    assert f"LATENTWALK_WEIGHTS is {mine}, which is not a folder" in out
    mine.mkdir()
    code, out, _ = latentwalk("doctor")
    assert (code, states(out)["weights"]) == (0, "note")
    assert "with none of the models" in out
    (mine / "gan.safetensors").write_bytes(b"damaged")
    code, out, _ = latentwalk("doctor")
    assert (code, states(out)["weights"], states(out)["gan"]) == (1, "ok", "broken")
    assert f"fix or remove {mine / 'gan.safetensors'}" in out


def test_doctor_survives_a_library_that_is_missing(latentwalk, project, monkeypatch):
    def missing():
        raise ImportError("No module named 'torch'")
        yield

    missing.__name__ = "_machine"
    monkeypatch.setattr(doctor, "_machine", missing)
    code, out, _ = latentwalk("doctor")
    assert code == 1
    assert states(out)["machine"] == "broken"
    assert "run `make setup`" in out
