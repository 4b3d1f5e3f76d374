"""The secret of a key as people hold it: its shape, its checksum, and how one is made."""

import hashlib
import re
import secrets
import string
import zlib

SCHEME = "ask_"
PUBLIC_LENGTH = 8
SECRET_LENGTH = 30  # 178 bits; the public part tells 47 of them, which leaves more than 128
CHECKSUM_LENGTH = 6  # CRC32 in base 62
PREFIX_LENGTH = len(SCHEME) + PUBLIC_LENGTH  # shown to people, finds the row, proves nothing
KEY_LENGTH = PREFIX_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH
PATTERN = rf"\bask_[0-9A-Za-z]{{{KEY_LENGTH - len(SCHEME)}}}\b"  # for secret scanners

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SHAPE = re.compile(rf"ask_[0-9A-Za-z]{{{KEY_LENGTH - len(SCHEME)}}}")
_PREFIX = re.compile(rf"ask_[0-9A-Za-z]{{{PUBLIC_LENGTH}}}")


def generate() -> str:
    """Return a new key: scheme, public part, secret part, checksum."""
    secret = "".join(secrets.choice(_BASE62) for _ in range(SECRET_LENGTH))
    body = SCHEME + _public_part(secret) + secret
    return body + _checksum(body)


def is_well_formed(text: str) -> bool:
    """Say whether *text* could be a key, without asking the database or argon2.

    The public part is a digest of the secret part, so a guessed secret under a known prefix already fails
    here: only a key that was really generated can cost an argon2 proof.
    """
    if not _SHAPE.fullmatch(text):
        return False
    body, checksum = text[:-CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
    return _checksum(body) == checksum and _public_part(body[PREFIX_LENGTH:]) == body[len(SCHEME) : PREFIX_LENGTH]


def is_prefix(text: str) -> bool:
    """Say whether *text* could be the first characters of a key, which anyone may name it by."""
    return _PREFIX.fullmatch(text) is not None


def _public_part(secret: str) -> str:
    digest = hashlib.blake2b(secret.encode(), digest_size=16, person=b"ask public part").digest()
    return _base62(int.from_bytes(digest), PUBLIC_LENGTH)


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_BASE62))
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
