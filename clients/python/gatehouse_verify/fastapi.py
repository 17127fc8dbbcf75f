"""FastAPI: `signed_in = protect(app, verifier)`, then a parameter `claims: Annotated[Claims, Depends(signed_in)]`."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from .problems import Refused, TokenMissing
from .verifier import Claims, Verifier

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False, bearerFormat="JWT"))]


def protect(app: FastAPI, verifier: Verifier) -> Callable[[Bearer], Claims]:
    """Return a dependency that gives the claims; `app` answers for requests that come without a good token."""

    @app.exception_handler(Refused)
    async def refuse(_: Request, error: Refused) -> JSONResponse:
        return JSONResponse(error.body, error.status, error.headers, media_type="application/problem+json")

    # Not async, so that it runs in a worker thread: the first token of a process waits for the network.
    def signed_in(bearer: Bearer) -> Claims:
        if bearer is None:
            raise TokenMissing
        return verifier.verify(bearer.credentials)

    return signed_in
