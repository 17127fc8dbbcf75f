"""A real SMTP server that keeps its letters, and that can be slow, refuse, or hang up in the middle of one.

With a certificate it speaks TLS: from the first byte (`smtps`), or after STARTTLS, which it then insists on. With a
password it wants to know who sends.
"""

import asyncio
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.processes import free_port, wait_until


class SmtpServer:
    """Letters arrive in `letters`.

    Set `seconds`, `refusal`, `recipient_refusal` or `hang_up` while it runs to make it behave badly.
    """

    def __init__(self, certificate: Path | None = None, smtps: bool = False, password: str | None = None) -> None:
        self.letters: list[EmailMessage] = []
        self.seconds = 0.0
        self.refusal: str | None = None
        self.recipient_refusal: str | None = None
        self.hang_up = False
        self.port = free_port()
        self._options = _options(certificate, smtps, password)
        self.start()

    @property
    def url(self) -> str:
        """What MAIL_URL takes."""
        return f"smtp://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, or start it again on the same port after `stop`."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **self._options)
        self._controller.start()

    def stop(self) -> None:
        """Stop it: connections are refused from now on; once more does nothing."""
        if not self._controller.loop.is_closed():
            self._controller.stop(no_assert=True)

    def wait_for(self, number: int, seconds: float = 30) -> list[EmailMessage]:
        """Wait until so many letters have arrived, and return all of them."""
        wait_until(lambda: len(self.letters) >= number, f"{number} letters arrive", seconds)
        return list(self.letters)

    async def handle_RCPT(  # noqa: N802 (its name is given)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or not."""
        if self.recipient_refusal is None:
            envelope.rcpt_tos.append(address)
        return self.recipient_refusal or "250 fine"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (its name is given)
        """Take one letter, in the way the attributes say."""
        await asyncio.sleep(self.seconds)
        if self.hang_up:
            server.transport.abort()
            return "421 gone"
        if self.refusal is not None:
            return self.refusal
        letter = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        letter["X-Envelope-To"] = ", ".join(envelope.rcpt_tos)
        self.letters.append(letter)
        return "250 kept"


def _options(certificate: Path | None, smtps: bool, password: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        options |= {"ssl_context": context} if smtps else {"tls_context": context, "require_starttls": True}
    if password is not None:

        def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
            right = isinstance(data, LoginPassword) and data.password.decode() == password
            return AuthResult(success=right)

        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": certificate is not None}
    return options
