"""Where a verifier gets its documents in tests: a twin that lies and ages at a test's word, or the real service."""

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

Answer = tuple[int, str, bytes]
KINDS: dict[str, tuple[Any, Any]] = {
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm.to_jwk),
    "ES256": (lambda: ec.generate_private_key(ec.SECP256R1()), ECAlgorithm.to_jwk),
    "RS256": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm.to_jwk),
}


class Key:
    """A signing key and its public half as a JWK."""

    def __init__(self, kid: str, algorithm: str = "EdDSA") -> None:
        generate, to_jwk = KINDS[algorithm]
        self.kid, self.algorithm, self.private = kid, algorithm, generate()
        self.jwk = json.loads(to_jwk(self.private.public_key())) | {"kid": kid, "alg": algorithm, "use": "sig"}

    def sign(self, claims: dict[str, Any], typ: str, **header: Any) -> str:
        return jwt.encode(claims, self.private, self.algorithm, headers={"typ": typ, "kid": self.kid} | header)


class Publisher:
    """A server on a loopback port; `asked` lists the path of every request."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hangs_up = False

    def answer(self, path: str, known: str | None) -> Answer:
        """Status, ETag and body for a path, given the ETag that the client knows."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Answers in two packets would otherwise wait for each other (Nagle and delayed acknowledgement).
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                publisher.asked.append(self.path)
                status, etag, body = publisher.answer(self.path, self.headers.get("If-None-Match"))
                self.send_response(status)
                self.send_header("ETag", etag)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = publisher.hangs_up

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Forwarder(Publisher):
    """Passes what it is asked on to a real service, so that a test sees what a verifier asks for."""

    def __init__(self, service_url: str) -> None:
        super().__init__()
        self._service_url = service_url

    def answer(self, path: str, known: str | None) -> Answer:
        headers = {"If-None-Match": known} if known else {}
        try:
            answer = httpx.get(self._service_url + path, headers=headers, timeout=30, trust_env=False)
        except httpx.TransportError:
            return 502, "", b""
        return answer.status_code, answer.headers.get("ETag", ""), answer.content


class Twin(Publisher):
    """Its own documents. While `away` all is answered 503; while it `hangs_up` connections close without a word.

    It answers after `seconds`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.keys = [Key("first")]
        self.revoked: dict[str, int] = {}
        self.complete_since = 0
        self.signed_ago = 0
        self.typ = "revocations+jwt"
        self.away = False
        self.seconds = 0.0

    def answer(self, path: str, known: str | None) -> Answer:
        time.sleep(self.seconds)
        if self.away:
            return 503, "", b""
        body = self.documents()[path]
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        return (304, etag, b"") if etag == known else (200, etag, body)

    def documents(self) -> dict[str, bytes]:
        return {
            "/.well-known/jwks.json": json.dumps({"keys": [key.jwk for key in self.keys]}).encode(),
            "/.well-known/revocations": self.revocations().encode(),
        }

    def revocations(self) -> str:
        now = int(time.time()) - self.signed_ago
        claims = {"iss": self.url, "iat": now, "exp": now + 120}
        return self.keys[-1].sign(claims | {"revoked": self.revoked, "complete_since": self.complete_since}, self.typ)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a good token; a change to None leaves that claim out."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": "gatehouse",
            "sub": "7",
            "iat": now,
            "exp": now + 900,
            "jti": "j1",
            "sid": "s1",
        }
        claims |= {"auth_time": now, "amr": ["pwd"], "acr": "1", "preferred_username": "ada", "roles": ["user"]}
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, *, typ: str = "at+jwt", key: Key | None = None, **changes: Any) -> str:
        return (key or self.keys[-1]).sign(self.claims(**changes), typ)
