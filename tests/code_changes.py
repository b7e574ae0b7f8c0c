"""Changes of the code that make weights stale, and changes that must not.

Each is made in a copy of the package. A small model of each kind has its steps recorded by the
code as it is and repeated by the copy: `python tests/code_changes.py` prints what came of each.
"""

import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "latentwalk"


@dataclass(frozen=True)
class Change:
    """Replacements in one file, and moves of files."""

    model: str
    file: str
    replace: tuple[tuple[str, str], ...] = ()
    names: str = ""
    """The function, class or constant that must be named as changed; empty: harmless."""
    renamed: str = ""
    """New name of the file's module."""


def one(model, file, old, new, names=""):
    return Change(model, file, ((old, new),), names)


HARMFUL = {
    "data scaling": one("gan", "data/mnist.py", "div_(255)", "div_(250)", "to_unit"),
    "pixels inverted": one(
        "vae", "data/mnist.py", "read_image_file(images)", "read_image_file(images).neg()", "load"
    ),
    "no shuffling": one(
        "gan",
        "data/mnist.py",
        "torch.randperm(len(digits), generator=rng, device=rng.device)",
        "torch.arange(len(digits))",
        "_endless",
    ),
    "epochs of equal order": one(
        "gan",
        "data/mnist.py",
        "skip = max(0, skip - per_epoch)",
        "skip = max(0, skip - per_epoch); rng.manual_seed(7)",
        "_endless",
    ),
    "first batch of an epoch left out": one(
        "vae",
        "data/mnist.py",
        "range(min(skip, per_epoch), per_epoch)",
        "range(min(skip, per_epoch) + 1, per_epoch)",
        "_endless",
    ),
    "average starts slowly": one(
        "gan",
        "models/optim.py",
        "(1 + count) / (10 + count)",
        "(1 + count) / (20 + count)",
        "exponential_moving_average",
    ),
    "average with another decay": one(
        "gan",
        "models/optim.py",
        "1 - min(decay,",
        "1 - min(decay**2,",
        "exponential_moving_average",
    ),
    "average without buffers": one(
        "vae",
        "models/optim.py",
        "use_buffers=True",
        "use_buffers=False",
        "exponential_moving_average",
    ),
    "last weights released": one(
        "gan",
        "models/gan.py",
        "cast(Generator, self.average.module)",
        "self.generator",
        "GanState.released",
    ),
    "linear schedule": one(
        "gan",
        "models/optim.py",
        "0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))",
        "1 - progress",
        "warm_up_cosine",
    ),
    "longer warm-up": one(
        "vae",
        "models/optim.py",
        "warm_up_share: float = 0.03",
        "warm_up_share: float = 0.04",
        "warm_up_cosine",
    ),
    "Muon's polynomial": one(
        "vae", "models/muon.py", "(3.4445, -4.7750, 2.0315)", "(3.4, -4.7, 2.0)", "POLYNOMIAL"
    ),
    "Muon's iterations": one(
        "vae", "models/muon.py", "iterations: int = 5", "iterations: int = 4", "orthogonal"
    ),
    "Muon's momentum": one(
        "vae", "models/muon.py", "momentum: float = 0.95", "momentum: float = 0.9", "Muon.__init__"
    ),
    "Muon in bfloat16": one("vae", "models/muon.py", "enabled=False", "enabled=True", "Muon.step"),
    "penalty every step": one(
        "gan",
        "models/gan.py",
        "state.step % config.penalty_interval == 0",
        "True",
        "update_discriminator",
    ),
    "penalty a step later": one(
        "gan",
        "models/gan.py",
        "state.step % config.penalty_interval == 0",
        "state.step % config.penalty_interval == 1",
        "update_discriminator",
    ),
    "half precision": one(
        "vae",
        "training/loop.py",
        "dtype=torch.bfloat16)\n\n\ndef choose",
        "dtype=torch.float16)\n\n\ndef choose",
        "autocast",
    ),
    "never bfloat16": one(
        "vae", "training/loop.py", 'if precision == "float32":', "if True:", "autocast"
    ),
    "bfloat16 chosen sooner": one(
        "gan", "training/loop.py", "1.3 * seconds", "1.25 * seconds", "choose_precision"
    ),
    "another seed": one(
        "gan", "training/loop.py", "manual_seed(seed + 1)", "manual_seed(seed + 3)", "fit"
    ),
    "a step less": one(
        "gan",
        "training/loop.py",
        "while state.step < last:",
        "while state.step < min(last, config.steps - 1):",
        "fit",
    ),
    "images not jittered": one(
        "classifier",
        "models/classifier.py",
        "state.network(jitter(batch.images, config, rng))",
        "state.network(batch.images)",
        "train_step",
    ),
}
HARMLESS = {
    "comments and formatting": Change(
        "gan",
        "models/gan.py",
        (("    labels = batch.labels if", "    # a comment\n\n    labels = batch.labels if"),),
    ),
    "a local variable": Change(
        "gan", "models/gan.py", (("image_gradient", "pull"), ("relativistic_logits", "lead"))
    ),
    "a private helper": Change("vae", "models/muon.py", (("_whitening", "_inverse_roots"),)),
    "a public function of the package": Change(
        "vae", "models/muon.py", (("orthogonal(", "orthogonalise("),)
    ),
    "a message": Change(
        "vae",
        "training/loop.py",
        (("a smaller learning rate usually helps", "try a smaller learning rate"),),
    ),
    "a helper taken out": Change(
        "gan",
        "models/gan.py",
        (
            (
                '        for group in optimizer.param_groups:\n            group["lr"] = config.learning_rate * warm_up_cosine(state.step, config.steps)\n',
                "        _set_rate(optimizer, config.learning_rate * warm_up_cosine(state.step, config.steps))\n",
            ),
            (
                "def train_step(",
                'def _set_rate(optimizer, rate):\n    for group in optimizer.param_groups:\n        group["lr"] = rate\n\n\ndef train_step(',
            ),
        ),
    ),
    "a module renamed": Change("vae", "models/muon.py", renamed="models/orthogonal_momentum.py"),
    "a row more in the history": Change(
        "gan", "training/loop.py", (("rows: int = 100", "rows: int = 50"),)
    ),
}


def apply(change, folder):
    """Make a copy of the package with a change in it.

    Raises:
        ValueError: the code no longer has what the change replaces.
    """
    copy = folder / "latentwalk"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / change.file
    text = path.read_text("utf-8")
    for old, new in change.replace:
        if old not in text:
            raise ValueError(f"{change.file} has no {old!r}")
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    if change.renamed:
        path.rename(copy / change.renamed)
        old, new = (Path(n).stem for n in (change.file, change.renamed))
        for other in copy.rglob("*.py"):
            source = other.read_text("utf-8")
            other.write_text(source.replace(f"models.{old} ", f"models.{new} "), "utf-8")


def outcomes(changes):
    """Give for each change: what is named as changed, and what disagrees on this machine and on
    another kind of machine; all in one process, since importing PyTorch takes seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = {"": Path(scratch) / "unchanged"}
        shutil.copytree(SOURCE, folders[""] / "latentwalk")
        for number, (name, change) in enumerate(changes.items()):
            folders[name] = Path(scratch) / str(number)
            apply(change, folders[name])
        asked = [
            [name, str(folder), getattr(changes.get(name), "model", "")]
            for name, folder in folders.items()
        ]
        done = subprocess.run(
            [sys.executable, __file__, json.dumps(asked)], capture_output=True, text=True, cwd="/"
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def small(recipe):
    from dataclasses import replace

    sizes = {"width": 4, "discriminator_width": 4, "encoder_width": 4, "feature_size": 6}
    known = {name: size for name, size in sizes.items() if hasattr(recipe.config, name)}
    config = replace(recipe.config, steps=4000, batch_size=32, **known)
    return replace(recipe, config=config)


def _main(asked):
    import dataclasses

    recorded, found = {}, {}
    for name, folder, model in asked:
        for module in [m for m in sys.modules if m.split(".")[0] in ("latentwalk", "problemset")]:
            del sys.modules[module]
        sys.path[0] = folder
        importlib.invalidate_caches()
        recipes = importlib.import_module("latentwalk.model_zoo.recipes")
        if not name:
            for kind in ("classifier", "gan", "vae"):
                recipe = small(recipes.get(kind))
                recorded[kind] = recipe.key().code, recipes.repeat_steps(recipe)
            continue
        recipe = small(recipes.get(model))
        code, before = recorded[model]
        now = recipe.key().code
        changed = [n for n in sorted(code.keys() | now.keys()) if code.get(n) != now.get(n)]
        replay = importlib.import_module("latentwalk.training.replay")
        problems = ["", ""]
        if changed:
            after = recipes.repeat_steps(recipe)
            elsewhere = dataclasses.replace(after, about=after.about | {"machine": "other"})
            problems = [replay.disagreement(before, now, 0.01) for now in (after, elsewhere)]
        found[name] = [changed, *problems]
    print(json.dumps(found))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _main(json.loads(sys.argv[1]))
    else:
        for title, (changed, here, elsewhere) in outcomes(HARMFUL | HARMLESS).items():
            print(
                f"{title}: {', '.join(changed[:3]) or 'nothing'} changed; {here or 'agrees'}; "
                f"on another machine: {elsewhere or 'agrees'}"
            )
