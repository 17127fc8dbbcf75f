"""For tests to which the kind of database or of client makes no difference."""

import pytest

one_database = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
one_client = pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
