"""A real SMTP server that keeps its letters, and that can be slow, refuse, or hang up in the middle of one."""

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.processes import free_port, wait_until


class SmtpServer:
    """Letters arrive in `letters`. Set `seconds`, `refusal` or `hang_up` while it runs to make it behave badly."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.seconds = 0.0
        self.refusal: str | None = None
        self.hang_up = False
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        """What MAIL_URL takes."""
        return f"smtp://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, or start it again on the same port after `stop`."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        """Stop it: connections are refused from now on."""
        self._controller.stop(no_assert=True)

    def wait_for(self, number: int, seconds: float = 30) -> list[EmailMessage]:
        """Wait until so many letters have arrived, and return all of them."""
        wait_until(lambda: len(self.letters) >= number, f"{number} letters arrive", seconds)
        return list(self.letters)

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
