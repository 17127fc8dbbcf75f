"""The examples of README.md, as the tests run them."""

import re
from typing import Any

from tests.support.run import ROOT

ADDRESS = "http://127.0.0.1:8000"
# What differs from run to run.
VARYING = ("session_id", "auth_time", "expires_at", "request_id", "refresh_expires_in")


def section(title: str) -> str:
    """The text under a heading."""
    text = (ROOT / "README.md").read_text()
    return re.split(rf"^## {re.escape(title)}$", text, flags=re.MULTILINE)[1].partition("\n## ")[0]


def blocks(title: str, language: str, url: str) -> list[str]:
    """The code blocks of a language under a heading, speaking to the service at `url`."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", section(title), flags=re.MULTILINE | re.DOTALL)
    return [block.replace(ADDRESS, url) for block in found]


def alike(shown: Any, real: Any, name: str = "") -> bool:
    """Whether a real answer is the one that is shown, but for what varies; `...` stands for the rest of a text."""
    if isinstance(shown, dict):
        return shown.keys() == real.keys() and all(alike(shown[key], real[key], key) for key in shown)
    if name in VARYING:
        return type(shown) is type(real)
    if isinstance(shown, str) and shown.endswith("..."):
        return str(real).startswith(shown.removesuffix("...")[:20])
    return bool(shown == real)
