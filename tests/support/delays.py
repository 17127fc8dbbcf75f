"""A proxy in front of a server on this machine that holds back every answer."""

import socket
import threading
import time
from contextlib import suppress
from typing import Self


class Delay:
    """Forwards to `port`; every piece of an answer waits `seconds`. `url` is that of a Redis behind it."""

    # So many bytes at most.
    piece = 65536

    def __init__(self, port: int, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.answers = 0
        self._port = port
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._open += [client, server]
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while piece := client.recv(65536):
                server.sendall(piece)
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while part := server.recv(self.piece):
                self.answers += 1
                time.sleep(self.seconds)
                client.sendall(part)
            client.shutdown(socket.SHUT_WR)
