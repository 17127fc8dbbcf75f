"""Cookies as a browser keeps them (RFC 6265bis): paths, expiry, `Secure`, and what the name prefixes demand."""

from copy import deepcopy
from http.cookies import Morsel, SimpleCookie
from typing import Self

LOOPBACK = ("http://127.0.0.1", "http://localhost")


class CookieJar:
    """The cookies of one client for one site."""

    def __init__(self) -> None:
        self._kept: dict[str, Morsel[str]] = {}

    def get(self, name: str) -> str | None:
        """The value of a cookie by its name without prefix."""
        for prefix in ("", "__Host-", "__Secure-"):
            if prefix + name in self._kept:
                return self._kept[prefix + name].value
        return None

    def set(self, name: str, value: str) -> None:
        """Replace the value of a cookie that is kept already; a new one gets the path `/`."""
        kept = next((prefix + name for prefix in ("__Host-", "__Secure-") if prefix + name in self._kept), name)
        if kept in self._kept:
            self._kept[kept].set(kept, value, value)
        else:
            self._kept.update(SimpleCookie({kept: f"{value}"}))
            self._kept[kept]["path"] = "/"

    def forget(self, name: str) -> None:
        """Lose a cookie, by its name without prefix."""
        for prefix in ("", "__Host-", "__Secure-"):
            self._kept.pop(prefix + name, None)

    def read(self, lines: list[str], url: str) -> None:
        """Take in the `Set-Cookie` lines of an answer; raises AssertionError on one that a browser would refuse."""
        for line in lines:
            for name, morsel in SimpleCookie(line).items():
                _check_prefix(name, morsel)
                assert not morsel["secure"] or url.startswith(("https://", *LOOPBACK)), f"{name} is Secure over http"
                if morsel["max-age"] == "0" or morsel["expires"].startswith("Thu, 01 Jan 1970"):
                    self._kept.pop(name, None)
                else:
                    self._kept[name] = morsel

    def header(self, path: str) -> str:
        """What the `Cookie` header of a request for the path holds."""
        sent = [morsel for morsel in self._kept.values() if _matches(path, morsel["path"] or "/")]
        return "; ".join(f"{morsel.key}={morsel.coded_value}" for morsel in sent)

    def copy(self) -> Self:
        """The same cookies in a jar of their own."""
        return deepcopy(self)


def _matches(path: str, scope: str) -> bool:
    return path == scope or path.startswith(scope if scope.endswith("/") else scope + "/")


def _check_prefix(name: str, morsel: "Morsel[str]") -> None:
    if name.startswith(("__Host-", "__Secure-")):
        assert morsel["secure"], f"{name} needs Secure"
    if name.startswith("__Host-"):
        assert morsel["path"] == "/", f"{name} needs Path=/"
        assert not morsel["domain"], f"{name} allows no Domain"
