"""Tokens that nobody may be let in by, each wrong in one way, and the ground on which it is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.services.common.auth.tokens.issuer import AUDIENCE, Issuer, ec_key, part, put_together, rsa_key


def _with_public_key_as_secret(issuer: Issuer) -> str:
    """HS256 with the issuer's public key, which everybody has, as the secret: the best known attack on libraries."""
    pem = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signing = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'rsa-1'})}.{part(issuer.claims())}"
    made = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signing.encode(), pem)
    return f"{signing}.{part(made)}"


def _changed_claims(issuer: Issuer) -> str:
    header, _, signature = issuer.token().split(".")
    return f"{header}.{part(issuer.claims('trustvqa:admin'))}.{signature}"


def _signed(issuer: Issuer, claims: Any) -> str:
    """Any claims at all, with a good signature: an issuer that is broken, or broken into."""
    content = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jwt.PyJWS().encode(content, issuer.keys["rsa-1"], "RS256", {"kid": "rsa-1"})


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


_NOW = time.time
_RSA = {"alg": "RS256", "typ": "JWT", "kid": "rsa-1"}

BAD: dict[str, tuple[str, Callable[[Issuer], str]]] = {
    "alg none": ("algorithm", lambda i: put_together({"alg": "none"}, i.claims(), b"")),
    "alg None": ("algorithm", lambda i: put_together({"alg": "None", "kid": "rsa-1"}, i.claims(), b"")),
    "no alg": ("algorithm", lambda i: put_together({"kid": "rsa-1"}, i.claims())),
    "alg a list": ("algorithm", lambda i: put_together({**_RSA, "alg": ["RS256"]}, i.claims())),
    "HS256 with the public key": ("algorithm", _with_public_key_as_secret),
    "an algorithm that is not allowed": ("algorithm", lambda i: i.token(algorithm="RS512")),
    "wrong key": ("signature", lambda i: i.token(key=rsa_key("somebody's"))),
    "a key of another kind": ("unknown-key", lambda i: i.token(key=ec_key(), key_id="rsa-1")),
    "no signature": ("signature", lambda i: put_together(_RSA, i.claims(), b"")),
    "claims exchanged": ("signature", _changed_claims),
    "expired": ("token-expired", lambda i: i.token(exp=int(_NOW()) - 60)),
    "not yet valid": ("not-yet-valid", lambda i: i.token(nbf=int(_NOW()) + 120)),
    "made in the future": ("not-yet-valid", lambda i: i.token(iat=int(_NOW()) + 120)),
    "wrong audience": ("audience", lambda i: i.token(aud="https://elsewhere.example")),
    "an audience that begins alike": ("audience", lambda i: i.token(aud="https://trustvqa.hospital.example.evil")),
    "audiences without ours": ("audience", lambda i: i.token(aud=["a", "b"])),
    "no audience": ("claims", lambda i: i.token(aud=None)),
    "wrong issuer": ("issuer", lambda i: i.token(iss="https://login.evil.example")),
    "an issuer with a slash more": ("issuer", lambda i: i.token(iss=f"{i.url}/")),
    "no issuer": ("claims", lambda i: i.token(iss=None)),
    "no end": ("claims", lambda i: i.token(exp=None)),
    "no subject": ("claims", lambda i: i.token(sub=None)),
    "an empty subject": ("claims", lambda i: i.token(sub="")),
    "an endless subject": ("claims", lambda i: i.token(sub="x" * 300)),
    "unknown key": ("unknown-key", lambda i: i.token(key=rsa_key("somebody's"), key_id="nobody")),
    "a key's id that is none": ("malformed", lambda i: put_together({**_RSA, "kid": {"a": 1}}, i.claims())),
    "an endless key's id": ("header", lambda i: put_together({**_RSA, "kid": "x" * 300}, i.claims())),
    "crit": ("malformed", lambda i: i.token(header={"crit": ["exp"], "exp": 1})),
    "crit that is understood by some": (
        "header",
        lambda i: put_together({**_RSA, "b64": True, "crit": ["b64"]}, i.claims()),
    ),
    "detached": ("malformed", lambda i: put_together({**_RSA, "b64": False, "crit": ["b64"]}, i.claims())),
    "a token for another use": ("header", lambda i: i.token(header={"typ": "logout+jwt"})),
    "its own key in the header": (
        "signature",
        lambda i: i.token(key=rsa_key("somebody's"), header={"jwk": {"kty": "RSA"}, "jku": "https://evil.example"}),
    ),
    "bound to a key": ("claims", lambda i: i.token(cnf={"jkt": "x"})),
    "oversized": ("too-large", lambda i: i.token(junk="x" * 9000)),
    "nested claims": ("malformed", lambda i: put_together(_RSA, _nested(2900))),
    "nested header": ("malformed", lambda i: put_together(_nested(2900), i.claims())),
    "claims that are a list": ("malformed", lambda i: put_together(_RSA, [1])),
    "a number without end": ("malformed", lambda i: _signed(i, i.claims(exp=float("inf")))),
    "no number": ("malformed", lambda i: _signed(i, i.claims(exp=float("nan")))),
    "nested claims, signed": ("malformed", lambda i: _signed(i, _nested(2900))),
    "a nested issuer, signed": ("claims", lambda i: _signed(i, i.claims(iss={"a": [[[]]]}))),
    "a nested audience, signed": ("audience", lambda i: _signed(i, i.claims(aud={"a": AUDIENCE}))),
    "digits without end": ("malformed", lambda i: put_together(_RSA, b'{"exp":' + b"9" * 5000 + b',"iss":"x"}')),
    "an end that is a text": ("malformed", lambda i: i.token(exp="soon")),
    "no base64": ("malformed", lambda i: "a!.b!.c!"),
    "cut": ("malformed", lambda i: i.token()[:40] + ".x."),
    "three dots": ("malformed", lambda i: ".."),
}
"""Name of a case -> ground, and what makes the token."""


def made(issuer: Issuer, case: str) -> str:
    """The token of a case."""
    return BAD[case][1](issuer)


def cases() -> list[Any]:
    """Names and grounds, to be parameters of a test."""
    return [(name, ground) for name, (ground, _) in BAD.items()]
