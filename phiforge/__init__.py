"""Phiforge makes, measures and runs small language models that reason.

Importing the package loads nothing heavy; import the room you need (`phiforge.lm`, `phiforge.verify.math`, ...).
"""

__version__ = "0.1.0"
