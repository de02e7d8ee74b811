"""The package's version, which the Rust module knows: asking it is quicker than reading the installed metadata."""

from mitk_rs._core import version

__all__ = ["__version__"]

__version__ = version()
