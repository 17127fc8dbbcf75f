"""Lists in pages, read to their end."""

from typing import Any

from tests.support.clients import Client


def paged(client: Client, path: str, limit: int = 2) -> list[list[dict[str, Any]]]:
    """The items of every page of a list, page by page."""
    found, cursor = [], ""
    while cursor is not None:
        page = client.get(f"{path}?limit={limit}{cursor and f'&cursor={cursor}'}").json
        assert page.keys() == {"items", "next_cursor"}
        found.append(page["items"])
        cursor = page["next_cursor"]
    return found
