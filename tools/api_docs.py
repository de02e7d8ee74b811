"""Write the API pages of mitk_rs with pdoc into the folder given."""

from __future__ import annotations

import sys
from pathlib import Path

import pdoc


def main(folder: Path) -> None:
    pdoc.render.configure(docformat="numpy", footer_text="mitk_rs")
    pdoc.pdoc("mitk_rs", output_directory=folder)
    print(f"API pages: {folder / 'index.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
