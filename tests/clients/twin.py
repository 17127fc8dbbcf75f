"""A twin of what Gatehouse publishes, small enough to be made to lie, age and fall silent at a test's word."""

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

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


class Twin:
    """The two documents on a loopback port. `asked` lists every request; while `away` all are answered 503.

    While it `hangs_up`, every connection is closed after its answer, without a word.
    """

    def __init__(self) -> None:
        self.keys = [Key("first")]
        self.revoked: dict[str, int] = {}
        self.complete_since = 0
        self.valid_seconds = 120
        self.signed_ago = 0
        self.typ = "revocations+jwt"
        self.away = self.hangs_up = False
        self.asked: list[str] = []

    def __enter__(self) -> Self:
        twin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Loopback answers in two packets would otherwise wait for each other (Nagle and delayed acknowledgement).
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                status, body = twin.answer(self.path, self.headers.get("If-None-Match"))
                self.send_response(status)
                self.send_header("ETag", etag(body))
                self.send_header("Content-Length", str(0 if status == 304 else len(body)))
                self.end_headers()
                self.wfile.write(b"" if status == 304 else body)
                self.close_connection = twin.hangs_up

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, path: str, known: str | None) -> tuple[int, bytes]:
        self.asked.append(path)
        if self.away:
            return 503, b""
        body = self.documents()[path]
        return (304 if etag(body) == known else 200), body

    def documents(self) -> dict[str, bytes]:
        return {
            "/.well-known/jwks.json": json.dumps({"keys": [key.jwk for key in self.keys]}).encode(),
            "/.well-known/revocations": self.revocations().encode(),
        }

    def revocations(self) -> str:
        now = int(time.time()) - self.signed_ago
        claims = {"iss": self.url, "iat": now, "exp": now + self.valid_seconds}
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


def etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'
