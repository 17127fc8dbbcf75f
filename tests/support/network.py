"""No test speaks to anything but this machine: every other address is refused before a packet leaves."""

import ipaddress
import socket
from typing import Any

import pytest

CHECKED = ("connect", "connect_ex", "sendto")


class NetworkRefused(BaseException):
    """Something tried to leave this machine. Not an Exception, so that no code under test can swallow it."""


def refuse_all_but_loopback(patch: pytest.MonkeyPatch) -> None:
    """Guard every connection and every look-up of a name that Python code makes in this process."""
    for method in CHECKED:
        patch.setattr(socket.socket, method, _guarded(getattr(socket.socket, method)))
    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        _check(host)
        return look_up(host, *arguments, **options)

    patch.setattr(socket, "getaddrinfo", guarded_look_up)


def _guarded(method: Any) -> Any:
    def guarded(self: socket.socket, *arguments: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _check(arguments[-1][0])
        return method(self, *arguments)

    return guarded


def _check(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        local = ipaddress.ip_address(name).is_loopback or ipaddress.ip_address(name).is_unspecified
    except ValueError:
        local = False
    if not local:
        raise NetworkRefused(f"a test tried to reach {name}")
