"""The service of ``examples/service`` beside the same on SimpleITK and ITK: ``python benches/service.py --help``.

Real servers on loopback and real uploads. The services take turns, so that a noisy machine is noisy for all. Writes the
section "Service" of ``benches/results/``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

import mitk_rs as mitk
import table

CLIENTS = 8
TURNS = 4
HERE = Path(__file__).parent
FORM = {"sources": "47 48 61", "targets": "68 52 15", "lower": "200"}
HEADER = (
    "service",
    "requests/s",
    "median",
    "99 %",
    "slowest / median",
    "processor",
    "memory",
    "threads",
    "peer / ours",
)
NOTE = """Uploads of a packed MetaImage of {size} voxels by {clients} clients at the same time, {requests} requests a
service; the answer is the mask of colliding fronts between two points. Latencies as clients see them. Memory is the
peak of what is resident in all processes of a service (ours reads files in processes of their own), threads the most of
its main process. The processor time of a request hardly depends on what else the machine does; the last column is that
of the peer over ours. {flat} `make bench` or `python benches/service.py` writes this section.
"""


@dataclass
class Service:
    """A running server and what was seen of it."""

    name: str
    url: str
    process: psutil.Process
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    processor: float = 0.0
    memory: int = 0
    threads: int = 0

    def spent(self) -> float:
        """Processor time so far of its processes, those that have ended included."""
        times = [process.cpu_times() for process in (self.process, *self.process.children(recursive=True))]
        ended = self.process.cpu_times()
        return sum(one.user + one.system for one in times) + ended.children_user + ended.children_system

    def look(self) -> int:
        """Note memory and threads; bytes resident now in all of its processes."""
        found = [self.process, *self.process.children(recursive=True)]
        resident = 0
        for process in found:
            try:
                resident += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        self.memory, self.threads = max(self.memory, resident), max(self.threads, self.process.num_threads())
        return resident


@contextmanager
def served(name: str, folder: Path) -> Iterator[Service]:
    """A server at a free port, once it answers."""
    ours = name == "mitk_rs"
    place, module = (HERE.parent / "examples" / "service", "app") if ours else (HERE, "service_peer")
    command = [sys.executable, "-m", "uvicorn", f"{module}:app", "--port", "0", "--app-dir", str(place)]
    log = folder / f"{name}.log"
    with log.open("w") as file:
        server = subprocess.Popen(command, env={**os.environ, "PEER": name}, stderr=file, stdout=file, cwd=folder)
    try:
        deadline = time.monotonic() + 600
        while not (found := re.search(r"running on (http://\S+)", log.read_text())):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{name} does not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield Service(name, found[1], psutil.Process(server.pid))
    finally:
        server.terminate()
        server.wait(60)


async def load(service: Service, content: bytes, requests: int) -> list[bytes]:
    """So many requests by all clients; every latency is noted."""
    numbers = iter(range(requests))
    answers = []

    async def client(session: httpx.AsyncClient) -> None:
        for _ in numbers:
            start = time.perf_counter()
            files = {"scan": ("scan.mha", content)}
            answer = await session.post(f"{service.url}/segment", files=files, data=FORM)
            answer.raise_for_status()
            service.latencies.append(time.perf_counter() - start)
            answers.append(answer.content)

    async def watch() -> None:
        while True:
            service.look()
            await asyncio.sleep(0.2)

    watching = asyncio.create_task(watch())
    start, spent = time.perf_counter(), service.spent()
    async with httpx.AsyncClient(timeout=600) as session:
        await asyncio.gather(*(client(session) for _ in range(CLIENTS)))
    service.seconds += time.perf_counter() - start
    service.processor += service.spent() - spent
    watching.cancel()
    return answers


def compare(names: list[str], content: bytes, requests: int) -> list[Service]:
    """All services, each with its share of the requests in every turn."""
    with ExitStack() as running, tempfile.TemporaryDirectory() as folder:
        services = [running.enter_context(served(name, Path(folder))) for name in names]
        masks = {}
        for service in services:
            first = asyncio.run(load(service, content, CLIENTS))
            masks[service.name] = int((mitk.Image(first[0], format="mha").array > 0).sum())
            service.latencies, service.seconds, service.processor = [], 0.0, 0.0
        print(f"voxels inside: {masks}", flush=True)
        for _ in range(TURNS):
            for service in services:
                answers = asyncio.run(load(service, content, requests // TURNS))
                assert len(set(answers)) == 1, f"{service.name} gave different masks"
        return services


def growth(content: bytes, requests: int) -> tuple[int, int]:
    """Bytes resident after a tenth of many requests to our service, and after all."""
    with tempfile.TemporaryDirectory() as folder, served("mitk_rs", Path(folder)) as service:
        asyncio.run(load(service, content, requests // 10))
        before = service.look()
        asyncio.run(load(service, content, requests - requests // 10))
        return before, service.look()


def row(service: Service, ours: Service) -> list[str]:
    """What was seen of a service."""
    median = statistics.median(service.latencies)
    late = statistics.quantiles(service.latencies, n=100)[98]
    return [
        service.name,
        f"{len(service.latencies) / service.seconds:.1f}",
        table.format_seconds(median),
        table.format_seconds(late),
        f"{max(service.latencies) / median:.1f}",
        table.format_seconds(service.processor / len(service.latencies)),
        table.format_bytes(service.memory),
        str(service.threads),
        f"{service.processor / ours.processor:.2f}",
    ]


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="40 requests a service, 100 for memory")
    parser.add_argument("--peers", nargs="*", default=["SimpleITK", "itk"], help="default: SimpleITK itk")
    parser.add_argument("--output", type=Path, help="default benches/results/MACHINE-INSTRUCTIONS.md")
    options = parser.parse_args()
    requests, many = (40, 100) if options.quick else (200, 1000)
    tree = mitk.datasets.vessel_tree(size=(96, 96, 64), spacing=(1.3, 1.3, 2.0), generations=3)
    content = tree.image.to_bytes("mha")
    services = compare(["mitk_rs", *options.peers], content, requests)
    found = [row(service, services[0]) for service in services]
    before, after = growth(content, many)
    flat = f"Over {many} requests ours went from {table.format_bytes(before)} to {table.format_bytes(after)}."
    note = NOTE.format(size="96 x 96 x 64", clients=CLIENTS, requests=requests, flat=flat)
    text = "\n".join([table.environment(("mitk_rs", *options.peers)), note, table.markdown(HEADER, found)])
    print(text)
    table.write_section("Service", text, options.output or table.results())


if __name__ == "__main__":
    main()
