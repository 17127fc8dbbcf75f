"""Flask without what this service does not use on its way to a view: sessions in cookies, hooks, the Host header.

Each method here is one that Flask documents to be overridden, and does what Flask's does for the application at hand.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from flask.typing import ResponseReturnValue
from werkzeug.routing import MapAdapter


class NoSession(SessionInterface):
    """There is no session beside that of the tokens: a request is given an empty one that cannot be written to."""

    def __init__(self) -> None:
        self._empty = NullSession()

    def open_session(self, _app: Flask, _request: Request) -> NullSession:
        """The same for every request."""
        return self._empty

    def is_null_session(self, _obj: object) -> bool:
        """Nothing is ever saved."""
        return True


class Gatehouse(Flask):
    """The application class of this service."""

    session_interface = NoSession()

    def __init__(self, *names: Any, **places: Any) -> None:
        super().__init__(*names, **places)
        # A path has one spelling: no route redirects to another, so no answer has to name a host.
        self.url_map.merge_slashes = False

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Every view is synchronous, so none is looked at again on every request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the route. No answer names a host, so none is read: a client can write what it likes into it."""
        if request is None:
            return super().create_url_adapter(None)
        return MapAdapter(
            self.url_map,
            "localhost",
            request.root_path,
            "",
            request.scheme,
            request.path,
            request.method,
            request.query_string.decode("latin-1"),
        )

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Nothing comes before a view but the door; should an extension ask for it, Flask's own way is taken."""
        if self.before_request_funcs or self.url_value_preprocessors:
            return super().preprocess_request()
        return None

    def do_teardown_request(self, *exc: Any) -> None:
        """Nothing comes after it either; what a unit of work holds is given back with the application's context."""
        if self.teardown_request_funcs:
            super().do_teardown_request(*exc)
