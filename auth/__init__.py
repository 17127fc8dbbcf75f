"""Gatehouse: the door, the gate and the flows. The map of the house is in README.md."""

__version__ = "0.1.0"
