"""Settings of Sphinx. `make docs` (tools/docs.py) prepares the folder that this file is read from."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
from pathlib import Path
from typing import Any

import matplotlib
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

matplotlib.use("Agg")

import mitk_rs

ROOT = Path(os.environ["MITK_RS_ROOT"])

project = "mitk_rs"
copyright = "the mitk_rs contributors, BSD-3-Clause"  # noqa: A001 - Sphinx's name
version = release = mitk_rs.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["scripts"]
nitpicky = False
suppress_warnings = ["config.cache", "myst.header"]

# Pages
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# Docstrings
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
# Names that say more than what they are made of.
autodoc_type_aliases = {
    name: name for name in ("AnyImage", "ArrayLike", "DTypeLike", "ForeignImage", "Position", "Positions", "Target")
}
autosummary_generate = False
numpydoc_show_class_members = False
python_maximum_signature_line_length = 90
add_module_names = False

# Examples and tutorials run at each build; a script that fails ends it.
sphinx_gallery_conf = {
    "examples_dirs": ["scripts/examples", "scripts/tutorials"],
    "gallery_dirs": ["gallery", "tutorials"],
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"/(?!plot_)\w+\.py$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "capture_repr": ("_repr_html_", "__repr__"),
    "download_all_examples": False,
    "min_reported_time": 1e9,
    "nested_sections": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "image_srcset": [],
}

html_theme = "pydata_sphinx_theme"
html_title = "mitk_rs"
html_static_path = ["static"]
html_css_files = ["mitk_rs.css"]
html_show_sourcelink = False
html_copy_source = False
html_favicon = "static/favicon.svg"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}


def _defining_modules() -> dict[str, str]:
    """The module in which each class is written."""
    found: dict[str, str] = {}
    for module in pkgutil.walk_packages(mitk_rs.__path__, "mitk_rs."):
        source = getattr(importlib.util.find_spec(module.name), "origin", None) or ""
        if source.endswith(".py"):
            for name in re.findall(r"^class (\w+)", Path(source).read_text(encoding="utf-8"), re.MULTILINE):
                found.setdefault(name, module.name)
    return found


def _name_home_of_classes() -> None:
    """Let classes name the module in which they are written: there autodoc finds the comments of their attributes."""
    homes = _defining_modules()
    for name in mitk_rs._HOMES:
        value = getattr(mitk_rs, name, None)
        if inspect.isclass(value) and value.__module__ == "mitk_rs" and name in homes:
            value.__module__ = homes[name]


_name_home_of_classes()


def _found_in_package(app: Sphinx, environment: BuildEnvironment, node: Any, shown: Any) -> Any:
    """Resolve a reference that does not name its module to the public name of the package."""
    name = f"mitk_rs.{node['reftarget'].rpartition('.')[2]}"
    found = environment.domains["py"].objects.get(name) if node.get("refdomain") == "py" else None
    if found is None:
        return None
    return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, shown, name)


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("missing-reference", _found_in_package)
