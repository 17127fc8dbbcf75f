"""Whether a password is known from a breach, asked of a range API by five characters of its SHA-1 (k-anonymity).

Off unless BREACH_CHECK_URL is set. The service never learns the password, not even its hash. When it does not answer
in time the password passes: a service that is away must not close the door.
"""

import hashlib
import http.client
import logging
from urllib.parse import urlsplit

from config import settings

log = logging.getLogger("gatehouse")

TIMEOUT_SECONDS = 1.0
PREFIX = 5
LONGEST_ANSWER = 256 * 1024


def is_breached(password: str) -> bool:
    """Whether the range API lists the password. Holds no lock and no connection to a store; False when it fails."""
    if not settings().breach_check_url:
        return False
    # SHA-1 is what the API speaks; nothing is protected by it.
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    try:
        lines = _range(digest[:PREFIX]).splitlines()
    except (OSError, http.client.HTTPException, ValueError) as error:
        log.warning("the breach service did not answer", extra={"reason": type(error).__name__})
        return False
    # A padded answer holds made-up suffixes with a count of 0.
    found = (line.partition(":") for line in lines)
    return any(suffix == digest[PREFIX:] and count.strip() != "0" for suffix, _, count in found)


def _range(prefix: str) -> str:
    """The suffixes of a prefix. No redirect is followed."""
    url = urlsplit(settings().breach_check_url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"{url.path.rstrip('/')}/{prefix}", headers={"Add-Padding": "true"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise ValueError("the breach service refused")
        return answer.read(LONGEST_ANSWER).decode("ascii")
    finally:
        connection.close()
