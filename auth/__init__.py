"""Gatehouse: the door, the gate and the flows. The map of the house is in README.md."""
