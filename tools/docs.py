"""Build the documentation site.

    python tools/docs.py target/docs

Puts together what Sphinx reads (the pages of docs/, those of the project, the scripts of examples/ and docs/tutorials/,
the options of all commands, a page for each module), runs Sphinx with warnings as errors, and checks every link of the
result. Nothing is fetched from the internet, and no page needs it.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import pkgutil
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"^( *)(?:```|~~~).*?^\1(?:```|~~~)$", re.MULTILINE | re.DOTALL)
# Pages outside of docs/, and where they are in the site.
PROJECT = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "RELEASE.md": "project/release.md",
    "SECURITY.md": "project/security.md",
}
# Modules that users import, beside those of the package's own list.
MORE_MODULES = ("vmtk.vmtkscripts", "vmtk.pypes")


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("output", type=Path, help="folder for the site")
    output = parser.parse_args().output.resolve()
    source = output.with_name(f"{output.name}-source")
    for folder in (source, output):
        shutil.rmtree(folder, ignore_errors=True)
    prepare(source)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(source), str(output)]
    done = subprocess.run(command, env={**os.environ, "MITK_RS_ROOT": str(ROOT)}, check=False)
    if done.returncode:
        return done.returncode
    broken = [*broken_links(output)]
    print("\n".join(broken) or f"documentation: {output / 'index.html'}")
    return int(bool(broken))


# --- pages ------------------------------------------------------------------------------------------------------------


def prepare(source: Path) -> None:
    """Everything that Sphinx reads, in a folder of its own."""
    shutil.copytree(ROOT / "docs", source, ignore=shutil.ignore_patterns("tutorials", "*.pyc", "__pycache__"))
    shutil.copytree(ROOT / "docs" / "tutorials", source / "scripts" / "tutorials")
    shutil.copytree(
        ROOT / "examples", source / "scripts" / "examples", ignore=shutil.ignore_patterns("service", "demo.py")
    )
    places = site_places()
    for original, place in places.items():
        target = source / place
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / original).read_text(encoding="utf-8")
        target.write_text(with_links_of_the_site(text, original, places), encoding="utf-8")
    (source / "reference" / "commands.md").write_text(commands_page(), encoding="utf-8")
    write_api(source / "api")


def site_places() -> dict[str, str]:
    """Where each page of the repository is in the site; both relative to their root."""
    places = dict(PROJECT)
    for results in sorted((ROOT / "benches" / "results").glob("*.md")):
        places[f"benches/results/{results.name}"] = f"project/results-{results.name}"
    for page in sorted((ROOT / "docs").rglob("*.md")):
        name = page.relative_to(ROOT).as_posix()
        places[name] = name.removeprefix("docs/")
    return places


def with_links_of_the_site(text: str, original: str, places: dict[str, str]) -> str:
    """A page whose links lead to pages and pictures of the site; what is not in the site is left as text."""

    def replaced(found: re.Match[str]) -> str:
        target, _, anchor = found["target"].partition("#")
        if urlsplit(target).scheme or not target:
            return found[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(original), target))
        place = places.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if place is None:
            return found["text"]
        link = posixpath.relpath(place, posixpath.dirname(places[original]) or ".")
        return f"{found['image']}[{found['text']}]({link}{'#' + anchor if anchor else ''})"

    parts, end = [], 0
    for block in CODE.finditer(text):
        parts += [LINK.sub(replaced, text[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*parts, LINK.sub(replaced, text[end:])])


# --- commands ---------------------------------------------------------------------------------------------------------


def commands_page() -> str:
    """Every command with every option, from the parsers and the tables that the program itself uses."""
    from mitk_rs.cli.main import build_parsers
    from mitk_rs.vmtk.tables import TABLES

    _, commands = build_parsers()
    lines = ["# All commands and options", ""]
    lines += ["Made from the tables that the commands themselves use. [The command mitk-rs](cli.md) explains them.", ""]
    for name, parser in commands.items():
        lines += [f"## mitk-rs {name}", "", "```text", (parser.description or "").strip(), "```", ""]
        lines += table(("option", "value", "meaning"), map(option_row, parser._actions))
        if parser.epilog:
            lines += ["```text", parser.epilog.strip(), "```", ""]
    lines += ["## VMTK's scripts", "", '`mitk-rs NAME` or `mitk-rs pype "NAME ... --pipe ..."`; see [Coming from VMTK]']
    lines[-1] += "(../howto/vmtk.md)."
    for name, script in sorted(TABLES.items()):
        lines += ["", f"### {name}", "", f"{one_line(script.doc)}", ""]
        rows = [(f"`-{m.option}`", m.attribute, m.type, one_line(m.doc)) for m in script.all_inputs()]
        extra = [(f"`-{m.option}`", m.attribute, m.type, f"{one_line(m.doc)} (not in VMTK)") for m in script.extensions]
        lines += table(("option", "attribute", "type", "meaning"), [*rows, *extra])
    return "\n".join(lines) + "\n"


def option_row(action: Any) -> tuple[str, str, str]:
    names = ", ".join(f"`{option}`" for option in action.option_strings) or f"`{action.metavar or action.dest}`"
    value = "" if action.nargs == 0 or not action.option_strings else str(action.metavar or action.dest).strip("()")
    return names, f"`{value}`" if value else "", one_line(action.help or "")


def table(header: tuple[str, ...], rows: Any) -> list[str]:
    lines = [header, ("---",) * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines] + [""]


def one_line(text: str) -> str:
    """A text of a help in one line of a table; what looks like markup is text."""
    return re.sub(r"([\\`*_<>\[\]{}#])", r"\\\1", " ".join(text.split())).replace("%%", "%")


# --- modules ----------------------------------------------------------------------------------------------------------


def write_api(folder: Path) -> None:
    """A page for each public module, and one that lists all names of the package."""
    import mitk_rs

    folder.mkdir(parents=True)
    modules = [name for name, home in mitk_rs._HOMES.items() if home == "mitk_rs" and hasattr(mitk_rs, name)]
    modules += MORE_MODULES
    for name in modules:
        (folder / f"{name}.rst").write_text(module_page(name), encoding="utf-8")
    lines = [*title("API reference"), ".. py:module:: mitk_rs", ""]
    lines += ["``import mitk_rs as mitk`` gives these names; each is imported when it is first used.", ""]
    for name in modules:
        public = [shown for shown, full in public_names(name) if full == f"mitk_rs.{shown}"]
        if public:
            lines += [f":doc:`mitk_rs.{name} <{name}>`", "", ".. autosummary::", "   :nosignatures:", ""]
            lines += [*(f"   {shown}" for shown in public), ""]
    lines += [*title("Modules", "-"), ".. toctree::", "   :maxdepth: 1", "", *(f"   {name}" for name in modules), ""]
    lines += [".. autofunction:: mitk_rs.set_num_threads", "", ".. autofunction:: mitk_rs.get_num_threads", ""]
    (folder / "index.rst").write_text("\n".join(lines), encoding="utf-8")


def title(text: str, line: str = "=") -> list[str]:
    return [text, line * len(text), ""]


def module_page(name: str) -> str:
    """A module: its own description, and everything public in it."""
    lines = [*title(f"mitk_rs.{name}"), f".. automodule:: mitk_rs.{name}", "", ".. py:currentmodule:: mitk_rs", ""]
    for _, full in public_names(name):
        lines += [*documented(full), ""]
    return "\n".join(lines)


def public_names(name: str) -> Iterator[tuple[str, str]]:
    """Names of a module, and the full name under which each is documented: that of the package, if it is there, too."""
    import mitk_rs

    module: Any = importlib.import_module(f"mitk_rs.{name}")
    of_package = {
        shown
        for shown, home in mitk_rs._HOMES.items()
        if home != "mitk_rs" and f"{home}.".startswith(f"mitk_rs.{name}.")
    }
    for shown in sorted({*of_package, *getattr(module, "__all__", ())}):
        yield shown, f"mitk_rs.{shown}" if shown in of_package else f"mitk_rs.{name}.{shown}"


def documented(full: str) -> list[str]:
    """The directive that documents an object."""
    import mitk_rs

    owner, _, name = full.rpartition(".")
    value = getattr(importlib.import_module(owner), name)
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        lines = [f".. {kind}:: {full}", "   :show-inheritance:"]
        if kind == "autoclass":
            lines.append("   :members:")
            bases = [base for base in value.__mro__[1:-1] if base.__module__ not in ("abc", "typing")]
            # VMTK's scripts share a base class, which has a place of its own.
            if bases and all(base.__module__.startswith("mitk_rs.") for base in bases) and ".vmtk." not in full:
                lines.append("   :inherited-members:")
            # What parts of a class that have no entry of their own give it is documented with the class.
            elif any(base.__module__ == "mitk_rs" and base.__name__ not in mitk_rs._HOMES for base in bases):
                public = [base.__name__ for base in bases if base.__name__ in mitk_rs._HOMES]
                lines.append(f"   :inherited-members: {', '.join([*public, 'object'])}")
        return lines
    if callable(value):
        return [f".. autofunction:: {full}"]
    # A table of functions says nothing; other values do.
    shown = [] if isinstance(value, dict) else [f"   :value: {value!r}"]
    return [f".. py:data:: {full}", *shown, "", *(f"   {line}" for line in comment_of(owner, name))]


def comment_of(owner: str, name: str) -> list[str]:
    """The comment at a public value of a module, which may be written in one of its submodules."""
    from sphinx.pycode import ModuleAnalyzer

    package = getattr(importlib.import_module(owner), "__path__", [])
    for module in (owner, *(found.name for found in pkgutil.iter_modules(package, f"{owner}."))):
        comments = ModuleAnalyzer.for_module(module).find_attr_docs()
        if ("", name) in comments:
            return comments["", name]
    raise SystemExit(f"docs: {owner}.{name} is public and has no comment (#: ...) that says what it is")


# --- links ------------------------------------------------------------------------------------------------------------


class Links(HTMLParser):
    """The anchors of a page, what it refers to, and what it loads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: list[str] = []
        self.loaded: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        if tag == "a":
            self.targets.append(given.get("href") or "")
        elif tag == "link" and given.get("rel") not in ("canonical",):
            self.loaded.append(given.get("href") or "")
        elif tag in ("script", "img", "source", "video"):
            self.loaded.append(given.get("src") or "")


def broken_links(site: Path) -> Iterator[str]:
    """What a page of the site refers to and is not there, and what it would load from the internet."""
    pages = {page: Links(page) for page in sorted(site.rglob("*.html")) if "_static" not in page.parts}
    for page, links in pages.items():
        for target in {*links.targets, *links.loaded}:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if target in links.loaded and parts.scheme != "data":
                    yield f"{page.relative_to(site)}: loads {target}"
                continue
            other = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not other.exists():
                yield f"{page.relative_to(site)}: {target} does not exist"
            elif parts.fragment and other in pages and unquote(parts.fragment) not in pages[other].anchors:
                yield f"{page.relative_to(site)}: {target}: the page does not have this anchor"


if __name__ == "__main__":
    sys.exit(main())
