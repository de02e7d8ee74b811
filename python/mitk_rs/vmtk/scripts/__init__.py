"""VMTK's scripts by subject: files, work on images, level sets, viewers."""

from __future__ import annotations
