"""Peers outside: where letters go, and whoever else this service speaks to."""
