"""The tests: everything through HTTP, on SQLite and PostgreSQL, as a Bearer client and as a cookie client."""
