"""Tokens of links and sessions: as random as can be, and told by a digest that need not be slow."""

import hashlib
import secrets

TOKEN_BYTES = 32  # 256 bits, which no digest needs to be slow for


def generate(scheme: str) -> str:
    """Return a new token that begins with *scheme*."""
    return scheme + secrets.token_hex(TOKEN_BYTES)


def digest(token: str) -> str:
    """Return what is stored of a *token*."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
