"""Change the code in small ways and list the changes that no test notices.

    python tools/mutants.py python|store|marches [PART ...]

`python` changes, one at a time, comparisons, operators, constants and statements of the modules in the table below, in
a copy of the package, and runs the tests that belong to them until one fails. `store` and `marches` do the same to the
core with cargo-mutants. The exit status is 1 where a change survives.
"""

from __future__ import annotations

import ast
import copy
import functools
import multiprocessing
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Module, its tests, and those of them that take long: they run where the others have noticed nothing.
PARTS = {
    "atomic": (
        "io/atomic.py",
        ["tests/io/test_sets_of_files.py", "tests/io/test_writes_are_whole.py"],
        "any_step or whole_file or full_disk_leaves or last_byte or many_threads or living_process or while_it_is_read",
    ),
    "levelset": ("levelset.py", ["tests/levelset/test_level_sets.py"], ""),
    "surface": ("surface.py", ["tests/levelset/test_surfaces.py"], ""),
    "words": ("vmtk/options.py", ["tests/vmtk/test_words.py", "tests/vmtk/test_members.py"], ""),
    "pype": ("vmtk/pypes.py", ["tests/vmtk/test_pype.py"], ""),
}
# Not hypothesis: pytest wants to be there before it.
LIBRARIES = ["pytest", "numpy.testing", "SimpleITK", "vtkmodules.util.numpy_support", "vtkmodules.vtkIOXML"]
RUNS_AT_ONCE = 2
# Seconds after which a run is taken for one that never ends.
PATIENCE = 600.0
CORE = {
    "store": ["rust/src/image/*.rs", "rust/src/levelset.rs", "rust/src/components.rs"],
    "marches": ["rust/src/eikonal/**/*.rs"],
}
COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.And: ast.Or, ast.Or: ast.And}


def mutants(tree: ast.Module) -> Iterator[tuple[int, str, ast.Module]]:
    """Line, description and tree of each change."""
    for number, node in enumerate(ast.walk(tree)):
        for description, change in changes(node):
            changed = copy.deepcopy(tree)
            twin = next(other for index, other in enumerate(ast.walk(changed)) if index == number)
            change(twin)
            line = getattr(node, "lineno", 0)
            yield line, f"{description}: {ast.unparse(node).splitlines()[0][:90]}", ast.fix_missing_locations(changed)


def changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """What can be changed about a node."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        other = COMPARISONS[type(node.ops[0])]
        yield f"{type(node.ops[0]).__name__} -> {other.__name__}", lambda twin: twin.ops.__setitem__(0, other())
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in OPERATORS:
        other = OPERATORS[type(node.op)]
        yield f"{type(node.op).__name__} -> {other.__name__}", lambda twin: setattr(twin, "op", other())
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "opposite", lambda twin: setattr(twin, "value", not twin.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield "one more", lambda twin: setattr(twin, "value", twin.value + 1)
    if isinstance(node, ast.FunctionDef | ast.If | ast.For | ast.With | ast.Try):
        for index, statement in enumerate(node.body):
            if is_call(statement) or isinstance(statement, ast.Assign | ast.AugAssign | ast.Raise):
                shown = ast.unparse(statement).splitlines()[0][:60]
                yield f"without {shown!r}", lambda twin, i=index: twin.body.__setitem__(i, ast.Pass())


def is_call(statement: ast.stmt) -> bool:
    """Whether a statement only calls something: not a docstring."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)


def run_python(names: list[str]) -> int:
    survivors = 0
    # Every run is a fork of one process that has the large libraries already.
    multiprocessing.set_forkserver_preload(LIBRARIES)
    for name in names:
        module, tests, slow = PARTS[name]
        source = ast.parse((ROOT / "python" / "mitk_rs" / module).read_text())
        found = sorted(mutants(source), key=lambda mutant: mutant[0])
        copies: queue.Queue[Path] = queue.Queue()
        notice = functools.partial(is_noticed, copies=copies, module=module, tests=tests, slow=slow)
        left = 0
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
            for number in range(RUNS_AT_ONCE):
                copies.put(Path(folder) / str(number))
                shutil.copytree(ROOT / "python" / "mitk_rs", Path(folder) / str(number) / "mitk_rs")
            if notice(source):
                raise SystemExit(f"{module}: its tests fail as it is")
            noticed = pool.map(notice, [tree for _, _, tree in found])
            for (line, description, _), dead in zip(found, noticed, strict=True):
                if not dead:
                    left += 1
                    print(f"    {module}:{line}: {description}", flush=True)
        print(f"{module}: {len(found)} changes, {left} not noticed", flush=True)
        survivors += left
    return int(survivors > 0)


def is_noticed(tree: ast.Module, *, copies: queue.Queue[Path], module: str, tests: list[str], slow: str) -> bool:
    """Whether a test fails with this change."""
    kinds = [["-k", f"not ({slow})"], ["-k", slow]] if slow else [[]]
    place = copies.get()
    changed = place / "mitk_rs" / module
    for compiled in changed.parent.glob(f"__pycache__/{changed.stem}.*"):
        compiled.unlink()
    changed.write_text(ast.unparse(tree))
    words = ["-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        return any(fails(place, [*words, *kind]) for kind in kinds)
    finally:
        copies.put(place)


def fails(package: Path, words: list[str]) -> bool:
    """Whether tests fail, or do not end."""
    process = multiprocessing.get_context("forkserver").Process(target=run_tests, args=(package, words))
    process.start()
    process.join(PATIENCE)
    status = process.exitcode
    process.kill()
    process.join()
    return status != 0


def run_tests(package: Path, words: list[str]) -> None:
    """Run tests with the package in a folder, in a process that ends with the status of pytest."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(quiet, stream)
    os.setsid()
    os.chdir(ROOT)
    os.environ["PYTHONPATH"] = str(package)
    sys.path.insert(0, str(package))
    import pytest

    os._exit(pytest.main(words))


def main(words: list[str]) -> int:
    kind, *parts = words or ["python"]
    if kind == "python":
        return run_python(parts or list(PARTS))
    if kind not in CORE:
        print(__doc__, file=sys.stderr)
        return 2
    files = [option for pattern in CORE[kind] for option in ("--file", pattern)]
    return subprocess.run(["cargo", "mutants", *files, *parts], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
