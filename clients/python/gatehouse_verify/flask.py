"""Flask: `protected = protect(app, verifier)`, then `@protected` under a route; the claims are in `flask.g.claims`."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, Response, g, json, request

from .problems import Refused
from .verifier import Verifier

P = ParamSpec("P")
R = TypeVar("R")


def protect(app: Flask, verifier: Verifier) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for views that need a token; `app` answers for those that come without a good one."""

    @app.errorhandler(Refused)
    def refuse(error: Refused) -> Response:
        return Response(json.dumps(error.body), error.status, error.headers, content_type="application/problem+json")

    def protected(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def with_claims(*args: P.args, **kwargs: P.kwargs) -> R:
            g.claims = verifier.verify_header(request.headers.get("Authorization"))
            return view(*args, **kwargs)

        return with_claims

    return protected
