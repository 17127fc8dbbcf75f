"""JSON by orjson: what Flask and its extensions make of it is the same as what the door writes."""

from typing import Any

import orjson
from flask.json.provider import JSONProvider


class OrjsonProvider(JSONProvider):
    """Flask's JSON through orjson."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        """JSON text of plain values, dates in RFC 3339."""
        return orjson.dumps(obj, option=orjson.OPT_NON_STR_KEYS).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """The value of a JSON text; raises ValueError."""
        return orjson.loads(s)
