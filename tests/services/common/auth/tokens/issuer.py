"""An issuer of tokens: real keys, a real key set over real HTTP, and tokens as good or as bad as a test wants them."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.servers import running

AUDIENCE = "https://trustvqa.hospital.example"
SUBJECT_SECRET = "of the tests: 89abcdef0123456789abcdef01234567"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(name: str = "first", bits: int = 2048) -> rsa.RSAPrivateKey:
    """A private key; made once a name, as that takes a while."""
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(name: str = "first") -> ec.EllipticCurvePrivateKey:
    """A private key on P-384."""
    return ec.generate_private_key(ec.SECP384R1())


def public_jwk(key: PrivateKey, key_id: str | None, **more: Any) -> dict[str, Any]:
    """The public half as a key set holds it."""
    kind: Any = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    found: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    return {**found, "use": "sig", **({} if key_id is None else {"kid": key_id}), **more}


def part(content: Any) -> str:
    """A part of a token: JSON, or bytes as they are, in base64url."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def put_together(header: Any, claims: Any, signature: bytes = b"\x00" * 64) -> str:
    """A token of any parts."""
    return f"{part(header)}.{part(claims)}.{part(signature)}"


@dataclass
class Issuer:
    """An issuer.

    Attributes:
        url: Its identifier, where it is reached.
        keys: Key id -> private key whose public half its key set holds.
        status: The status of its replies.
        body: The body of its key set, if it is not to be what follows from the keys.
        readings: How often its key set was asked for.
    """

    url: str = ""
    keys: dict[str, PrivateKey] = field(default_factory=lambda: {"rsa-1": rsa_key(), "ec-1": ec_key()})
    status: int = 200
    body: bytes | None = None
    readings: int = 0

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of a service that trusts it."""
        return {"oidc_issuer": self.url, "oidc_audience": AUDIENCE, "oidc_subject_secret": SUBJECT_SECRET}

    def claims(self, scope: str | None = "trustvqa:ask", **changes: Any) -> dict[str, Any]:
        """Good claims, but for the changes; a claim that is None is left out."""
        now = int(time.time())
        good = {
            "iss": self.url,
            "sub": "anna",
            "aud": AUDIENCE,
            "exp": now + 300,
            "iat": now,
            "scope": scope,
            "jti": str(uuid.uuid4()),
            **changes,
        }
        return {name: value for name, value in good.items() if value is not None}

    def token(
        self,
        scope: str | None = "trustvqa:ask",
        *,
        key: Any = None,
        key_id: str | None = "rsa-1",
        algorithm: str | None = None,
        header: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """A token, good but for what is given."""
        signed_by = key if key is not None else self.keys[key_id or "rsa-1"]
        chosen = algorithm or ("RS256" if isinstance(signed_by, rsa.RSAPrivateKey) else "ES384")
        given = {**({} if key_id is None else {"kid": key_id}), **(header or {})}
        return jwt.encode(self.claims(scope, **changes), signed_by, chosen, given)

    def app(self) -> Starlette:
        """Its HTTP application."""

        async def configuration(_: Request) -> Response:
            return JSONResponse({"issuer": self.url, "jwks_uri": f"{self.url}/keys"}, self.status)

        async def keys(_: Request) -> Response:
            self.readings += 1
            if self.body is not None:
                return Response(self.body, self.status)
            return JSONResponse({"keys": [public_jwk(key, name) for name, key in self.keys.items()]}, self.status)

        return Starlette(routes=[Route("/.well-known/openid-configuration", configuration), Route("/keys", keys)])


@contextmanager
def serving_issuer() -> Iterator[Issuer]:
    """An issuer that is reached over HTTP for the length of a block."""
    issuer = Issuer()
    with running(issuer.app()) as issuer.url:
        yield issuer
