"""Write the API pages of mitk_rs with pdoc into the folder given."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pdoc

import mitk_rs


def main(folder: Path) -> None:
    pdoc.render.configure(docformat="numpy", footer_text="mitk_rs")
    # Names that only type checkers import are shown as they are written; pdoc warns about each.
    warnings.filterwarnings("ignore", category=UserWarning, module="pdoc")
    modules = [name for name, home in mitk_rs._HOMES.items() if home == "mitk_rs" and hasattr(mitk_rs, name)]
    pdoc.pdoc("mitk_rs", *(f"mitk_rs.{name}" for name in modules), output_directory=folder)
    print(f"API pages: {folder / 'index.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
