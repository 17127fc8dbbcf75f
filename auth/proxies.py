"""The address of the client behind TRUSTED_PROXIES proxies; without any, the address of the socket and nothing else.

Each proxy appends the address it saw to `X-Forwarded-For`, so the last entries are theirs and the one before is the
client: counted from the right, nothing that a client writes in front of them changes it. `X-Forwarded-Proto` says
whether the outermost proxy was asked over plain http. No other header is believed, and links come from the settings.
"""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from config import Settings

# Where it is kept whether the request came in over plain http.
PLAIN_HTTP = "gatehouse.plain_http"


def init_app(app: Flask, settings: Settings) -> None:
    """Put the client's address where the socket's is; nothing when no proxy is trusted."""
    hops = settings.trusted_proxies
    inner = app.wsgi_app
    if not hops:
        return

    def behind_proxies(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        address = client(environ.get("HTTP_X_FORWARDED_FOR", ""), hops)
        if address is not None:
            environ["REMOTE_ADDR"] = address
        environ[PLAIN_HTTP] = is_plain(environ.get("HTTP_X_FORWARDED_PROTO", ""), hops)
        return inner(environ, start_response)

    app.wsgi_app = behind_proxies  # type: ignore[method-assign]


def is_plain(forwarded_proto: str, hops: int) -> bool:
    """Whether the outermost trusted proxy says that it was asked over plain http; one that says nothing does not."""
    entries = [entry.strip().lower() for entry in forwarded_proto.split(",")]
    return entries[-min(hops, len(entries))] == "http"


def client(forwarded_for: str, hops: int) -> str | None:
    """The address that the outermost trusted proxy has seen; None when the header is too short or holds no address."""
    entries = forwarded_for.split(",")
    if len(entries) < hops:
        return None
    entry = entries[-hops].strip()
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        return str(ipaddress.ip_address(entry))
    except ValueError:
        return None
