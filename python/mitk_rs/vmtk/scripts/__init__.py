"""VMTK's scripts by subject: reading and writing images, work on images, surfaces, initialization, viewers."""

from __future__ import annotations
