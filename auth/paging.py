"""Pages of lists: `?limit=&cursor=` in, `{"items", "next_cursor"}` out. The cursor is a position, not an offset."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from auth.fields import Answer, Body
from auth.problems import InvalidRequest

MOST = 100
LONGEST_NUMBER = 18


class Page(Body):
    """Which page: `cursor` is the `next_cursor` of the page before."""

    limit: Annotated[int, Field(ge=1, le=MOST)] = 50
    cursor: Annotated[str, Field(max_length=200)] | None = None

    def position(self) -> tuple[datetime, str] | None:
        """The instant and the id after which the page begins; raises InvalidRequest."""
        if self.cursor is None:
            return None
        try:
            seconds, _, name = base64.urlsafe_b64decode(self.cursor.encode()).decode().partition(" ")
            if "\0" in name:
                raise ValueError("no name holds NUL")
            return datetime.fromtimestamp(int(seconds) / 1_000_000, UTC), name
        except (ValueError, binascii.Error, OverflowError, OSError):
            raise _no_cursor() from None

    def number(self) -> int | None:
        """The number before which the page begins, where ids are numbers; raises InvalidRequest."""
        position = self.position()
        if position is None:
            return None
        if not position[1].isdecimal() or len(position[1]) > LONGEST_NUMBER:
            raise _no_cursor()
        return int(position[1])


def page(
    rows: Sequence[Any],
    limit: int,
    show: Callable[[Any], dict[str, Any]],
    position: Callable[[Any], tuple[datetime, Any]],
) -> dict[str, Any]:
    """The answer for `limit + 1` rows read: the last of them only tells that there is a next page."""
    shown = rows[:limit]
    cursor = _cursor(*position(shown[-1])) if len(rows) > limit else None
    return {"items": [show(row) for row in shown], "next_cursor": cursor}


def page_of(item: type[Answer]) -> type[Answer]:
    """The type of a page of such items."""
    annotations: dict[str, Any] = {"items": list[item], "next_cursor": str | None}  # type: ignore[valid-type]
    members = {"__annotations__": annotations, "__module__": item.__module__, "__doc__": "A page of a list."}
    return type(f"{item.__name__}Page", (Answer,), members)


def _no_cursor() -> InvalidRequest:
    fault = {"field": "cursor", "code": "cursor_invalid", "message": "is not the cursor of a page"}
    return InvalidRequest("Invalid cursor", errors=[fault])


def _cursor(moment: datetime, name: Any) -> str:
    microseconds = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
    return base64.urlsafe_b64encode(f"{microseconds} {name}".encode()).decode()
