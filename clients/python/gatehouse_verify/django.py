"""Django: `protected = protect(verifier)`, then `@protected` on a synchronous view, which finds `request.claims`."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from .problems import Refused
from .verifier import Verifier

View = Callable[..., HttpResponse]


def protect(verifier: Verifier) -> Callable[[View], View]:
    """Return a decorator for views that need a token; it answers for requests that come without a good one."""

    def protected(view: View) -> View:
        @wraps(view)
        def with_claims(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                request.claims = verifier.verify_header(request.headers.get("Authorization"))
            except Refused as error:
                answer = JsonResponse(error.body, status=error.status, headers=error.headers)
                answer["Content-Type"] = "application/problem+json"
                return answer
            return view(request, *args, **kwargs)

        return with_claims

    return protected
