"""Windows on VTK, and the dialogue of image initialization with its front ends."""

from __future__ import annotations
