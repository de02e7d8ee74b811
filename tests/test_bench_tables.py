"""The helper that benchmarks share."""

from __future__ import annotations

import importlib.util
import mmap
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def table() -> ModuleType:
    path = Path(__file__).parents[1] / "benches" / "table.py"
    spec = importlib.util.spec_from_file_location("bench_table", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_table"] = module
    spec.loader.exec_module(module)
    return module


def test_candidates_take_turns(table: ModuleType) -> None:
    order: list[str] = []

    def run(name: str):
        def once():
            order.append(name)
            return table.Sample(float(len(order)), 0)

        return once

    samples = table.alternate({"ours": run("ours"), "peer": run("peer")}, {"ours": 3, "peer": 1})
    assert order == ["ours", "peer", "ours", "ours"]
    assert table.median(samples["ours"]).seconds == 3.0


@pytest.mark.skipif(sys.platform != "linux", reason="memory peaks are read from Linux' /proc")
def test_peak_counts_what_the_call_added(table: ModuleType) -> None:
    def fill() -> int:
        # Pages of its own: the heap could give memory that this process has already.
        with mmap.mmap(-1, 64 << 20) as memory:
            return sum(memory.write(b"x" * mmap.PAGESIZE) for _ in range(len(memory) // mmap.PAGESIZE))

    assert 60 << 20 < table.measure(fill).peak < 200 << 20


def test_section_replaces_only_itself(table: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "processor.md"
    table.write_section("One", "first", file)
    table.write_section("Two", "second", file)
    table.write_section("One", "third", file)
    assert file.read_text() == "# Speed: processor\n\n## One\n\nthird\n\n## Two\n\nsecond\n"


def test_worker_answers_and_reports_errors(table: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    folder = Path(table.__file__).parent
    script.write_text(
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        "from table import serve\n"
        "serve(lambda request: (lambda: 1 / request['divisor']))\n"
    )
    with table.Worker(script) as worker:
        assert worker.run({"divisor": 2}).seconds >= 0
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            worker.run({"divisor": 0})
        assert worker.run({"divisor": 1}).seconds >= 0


def test_figures_have_three_digits(table: ModuleType) -> None:
    assert [table.format_seconds(s) for s in (12.345, 1.2345, 0.012345, 123.4)] == [
        "12.3 s",
        "1.23 s",
        "12.3 ms",
        "123 s",
    ]
    assert table.format_ratio(26.4, 1.0) == "26x"
    assert table.format_ratio(2.64, 1.0) == "2.6x"


def test_a_short_run_against_peers_writes_its_table(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "benches" / "peers.py"
    results = tmp_path / "RESULTS.md"
    results.write_text("# Results\n\n## Other\n\nstays\n")
    options = ["--size", "12", "--cases", "constant", "tube", "--peers", "SimpleITK", "scikit-fmm", "--no-plots"]
    options += ["--instructions", "baseline"]
    command = [sys.executable, str(script), *options, "--threads", "1", "2", "--repeats", "1", "--output", str(results)]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=200, check=False)
    assert run.returncode == 0, run.stderr
    written = results.read_text(encoding="utf-8")
    assert written.startswith("# Results\n\n## Other\n\nstays\n\n## Fronts\n\nTaken 20")
    rows = [line for line in written.splitlines() if line.startswith(("| march 12", "| colliding fronts, tube 12"))]
    assert [row.split(" | ")[3] for row in rows] == ["SimpleITK", "scikit-fmm", "SimpleITK"]
    assert all("x / " in row for row in rows)


def test_every_machine_and_set_of_instructions_has_a_file(table: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = table.instruction_sets()
    assert "baseline" in sets
    monkeypatch.setattr(table, "_cpu", lambda: "Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz")
    assert table.results("avx2").name == "intel-xeon-gold-6130-avx2.md"
    assert table.results().name == f"intel-xeon-gold-6130-{sets[0]}.md"


def test_a_short_run_of_callers_writes_its_table(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "benches" / "callers.py"
    results = tmp_path / "machine.md"
    command = [sys.executable, str(script), "--quick", "--size", "20", "--output", str(results)]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=200, check=False)
    assert run.returncode == 0, run.stderr
    rows = [line.split(" | ") for line in results.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][2:]
    assert {row[1] for row in rows} == {"1", "4", "16"}
    assert any("tube" in row[0] for row in rows)


def test_a_short_run_of_the_store_writes_its_table(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "benches" / "store.py"
    results = tmp_path / "RESULTS-store.md"
    command = [sys.executable, str(script), "--megabytes", "1", "--repeats", "1", "--output", str(results)]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=200, check=False)
    assert run.returncode == 0, run.stderr
    rows = [line for line in results.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][2:]
    assert [row.split(" | ")[-1] for row in rows] == [
        "under 2 us |",
        "under 5 us |",
        "at most 1.2 times numpy |",
        "at most 1.3 times SimpleITK |",
        "no voxels |",
    ]
    assert all(" us" in row for row in rows[:2])
    assert all("KiB" in cell for cell in rows[-1].split(" | ")[1:2])


def test_a_short_run_of_projections_writes_its_table(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "benches" / "mip.py"
    results = tmp_path / "RESULTS-mip.md"
    command = [sys.executable, str(script), "--quick", "--sizes", "40", "--output", str(results)]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=200, check=False)
    assert run.returncode == 0, run.stderr
    rows = [line.split(" | ") for line in results.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][2:]
    peers = {row[3].split()[0] for row in rows}
    assert peers == {"numpy", "memory", "SimpleITK", "itk", "one", "VTK"}
    assert all(row[4].endswith(("x", ")")) for row in rows)
    assert {row[0].removeprefix("| ").split(",")[0] for row in rows} == {
        "max along x",
        "max along y",
        "max along z",
        "all three axes",
        "from an angle",
        "from an angle with making bricks",
    }


def test_processor_time_is_counted_on_demand(table: ModuleType) -> None:
    import time

    waited = table.measure(lambda: time.sleep(0.2), time.process_time)
    assert waited.seconds < 0.1 < table.measure(lambda: time.sleep(0.2)).seconds
