"""What the tests stand on: real servers, clients and observers. `tests/conftest.py` offers them as fixtures."""
