import ast
import subprocess
import sys
from pathlib import Path

import pytest

import latentwalk

ROOT = Path(latentwalk.__file__).parents[1]
PACKAGES_HERE = ("problemset", "latentwalk")

FREE_OF = {  # what a module's top must not import: to be quick, or to stand alone
    "latentwalk.experiments.interpolation": {"numpy", "sympy"},
    "latentwalk.derivations.equations": {"torch", "numpy"},
    "latentwalk.derivations.symbolic": {"torch", "numpy", "latentwalk"},
    "latentwalk.derivations.counterexample": {"torch", "numpy"},
    "problemset.formulas": {"torch", "numpy", "sympy"},
    "latentwalk.cli": {"torch", "numpy"},
    "problemset.commands.parsing": {"torch", "numpy", "problemset"},
    "problemset.grading.sandbox.worker": {"torch", "numpy", "problemset"},
    "problemset.grading.sandbox.confine": {"torch", "numpy", "problemset"},
    "problemset.grading.batch.job": {"torch", "numpy"},
    "problemset.grading.batch.cluster": {"dask", "distributed"},
    "problemset.grading.sandbox.forkserver": {"torch", "numpy"},
}


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


MODULES = {
    name_of(path): ast.parse(path.read_text("utf-8"))
    for package in PACKAGES_HERE
    for path in (ROOT / package).rglob("*.py")
}
PACKAGES = {name.removesuffix(".__init__") for name in MODULES if name.endswith("__init__")}


def imported(tree):
    """Every module that is imported anywhere in a tree, as written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted_name(node):
    """`a.b.c` as written; something else than names ends it."""
    if isinstance(node, ast.Attribute):
        return f"{dotted_name(node.value)}.{node.attr}"
    return getattr(node, "id", "")


def calls(node):
    return [dotted_name(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)]


def is_package_itself(name):
    return name.endswith(".__init__")


def test_nobody_imports_from_a_package_s_own_init():
    """`from latentwalk import x` names the module x, never something that __init__ defines."""
    for name, tree in MODULES.items():
        for dotted in imported(tree):
            if dotted.split(".")[0] in PACKAGES_HERE:
                parent = dotted.rpartition(".")[0]
                known = dotted in MODULES or dotted in PACKAGES or parent in MODULES
                assert known, f"{name} imports {dotted}"
    for name, tree in MODULES.items():
        if is_package_itself(name):
            # its docstring, the version, and the package's own functions by a shorter name
            plain = (ast.Expr, ast.Assign, ast.ImportFrom)
            assert all(isinstance(node, plain) for node in tree.body), name
            assert calls(tree) == [], name


def test_the_machinery_reaches_neither_torch_nor_the_homework():
    program = "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    program += "print(sorted({n.split('.')[0] for n in sys.modules} & {'torch', 'latentwalk'}))"
    names = [n for n in MODULES if n.startswith("problemset.") and not is_package_itself(n)]
    done = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("name", FREE_OF)
def test_some_modules_stay_free_of_others(name):
    top = [node for node in MODULES[name].body if isinstance(node, ast.Import | ast.ImportFrom)]
    roots = {dotted.split(".")[0] for node in top for dotted in imported(node)}
    assert not roots & FREE_OF[name]


def test_only_the_command_line_exits():
    # a program, and what ends processes that it forked
    allowed = {
        "latentwalk.cli",
        "problemset.cli",
        "problemset.grading.sandbox.worker",
        "problemset.grading.sandbox.confine",
    }
    for name, tree in MODULES.items():
        found = {"sys.exit", "exit", "os._exit", "input"} & set(calls(tree))
        assert not found or name in allowed, f"{name} calls {found}"


def test_no_module_seeds_a_global_generator_but_the_loop():
    """`training.fit` gets its seed as an argument; networks draw their weights globally."""
    seeds = {"torch.manual_seed", "np.random.seed", "numpy.random.seed", "random.seed"}
    assert [name for name, tree in MODULES.items() if seeds & set(calls(tree))] == [
        "latentwalk.training.loop"
    ]


def test_only_paths_knows_the_environment():
    for name, tree in MODULES.items():
        attributes = {dotted_name(n) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        variables = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
        named = [v for v in variables if isinstance(v, str) and v.startswith("LATENTWALK_")]
        exact = [v for v in named if v.replace("_", "").isalpha() and " " not in v]
        assert not exact or name == "latentwalk.paths", f"{name} names {exact}"
        assert "os.getenv" not in attributes, name


IMPORT_ALL = """
import importlib, random, sys
import matplotlib.pyplot, nbclient, numpy, pypandoc, sympy, torch, torchmetrics, typst, yaml
for name in ("torchvision.datasets.mnist", "scipy"):
    try: importlib.import_module(name)
    except ImportError: pass
done = []
def watch(event, details):
    written = event == "open" and isinstance(details[1], str) and set(details[1]) & set("wax+")
    if written or event in ("socket.connect", "subprocess.Popen", "os.mkdir", "os.remove"):
        done.append((event, str(details[0])))
sys.addaudithook(watch)
before = random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
figures = len(matplotlib.pyplot.get_fignums())
for name in sys.argv[1:]:
    importlib.import_module(name)
after = random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
assert before == after, "importing drew random numbers or set a seed"
assert len(matplotlib.pyplot.get_fignums()) == figures, "importing made a figure"
assert not done, done
"""


def test_importing_a_module_does_nothing():
    names = [n for n in sorted(MODULES) if not is_package_itself(n)]
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error::UserWarning", "-c", IMPORT_ALL, *names],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
