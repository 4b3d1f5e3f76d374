"""The certificate that the box shows to clients, with its key: read while we are root, tried before anything starts."""

import contextlib
import os
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .. import regular_files
from ..errors import OperatorError
from ..process import privileges

_EXCHANGES = 4  # a handshake in memory takes two
# What Granian's TLS can sign with, as a certificate spells the kind of its key; it dies of any other without a word.
# The first three are P-256, P-384 and Ed25519, the last RSA, where the length of the modulus follows.
_KINDS = re.compile(
    rb"\x06\x07\*\x86H\xce=\x02\x01(?:\x06\x08\*\x86H\xce=\x03\x01\x07|\x06\x05\+\x81\x04\x00\x22)"
    rb"|\x30\x05\x06\x03\+ep\x03\x21"
    rb"|\x06\x09\*\x86H\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82..\x00\x30\x82..\x02\x82([\x01\x02].)",
    re.DOTALL,
)
_LARGEST_MODULUS = 513  # bytes of 4096 bits and a sign
_TOO_LATE = {"certificate has expired": "has expired", "certificate is not yet valid": "is not valid yet"}


@dataclass(frozen=True)
class Certificate:
    """A chain and its key as PEM, known to fit each other and to be valid today."""

    chain: bytes
    key: bytes = field(repr=False)

    @contextlib.contextmanager
    def files(self) -> Iterator[tuple[str, str]]:
        """Yield a path for the chain and one for the key, for libraries that read files only.

        Both lie in memory, and no other process can open them.
        """
        with contextlib.ExitStack() as stack:
            yield stack.enter_context(_in_memory(self.chain)), stack.enter_context(_in_memory(self.key))


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    with open(os.memfd_create("certificate"), "wb", buffering=0) as file:  # noqa: PTH123 - it has no path yet
        file.write(content)
        yield f"/proc/self/fd/{file.fileno()}"


def read(chain: Path | None, key: Path | None) -> Certificate | None:
    """Return what lies in the two files, None if there are to be none. Raises OperatorError."""
    if chain is None and key is None:
        return None
    if chain is None or key is None:
        there, missing = ("tls_cert", "tls_key") if key is None else ("tls_key", "tls_cert")
        raise OperatorError(f"The setting {there} needs {missing} beside it: set both for TLS, or neither.")
    found = Certificate(_content(chain, "tls_cert"), _content(key, "tls_key"))
    if b"ENCRYPTED" in found.key:
        raise OperatorError(
            f"The key in {key} (setting tls_key) has a passphrase, and nobody is there to type it at a start: "
            f"`openssl pkey -in {key} -out FILE` writes one without."
        )
    _try(found, chain, key)
    if not _usable(found.chain):
        raise OperatorError(
            f"The certificate in {chain} (setting tls_cert) has a kind of key that the server cannot use: "
            "take RSA of 2048 to 4096 bits, EC P-256 or P-384, or Ed25519."
        )
    return found


def _usable(chain: bytes) -> bool:
    begin, end = chain.index(ssl.PEM_HEADER.encode()), chain.index(ssl.PEM_FOOTER.encode())
    leaf = ssl.PEM_cert_to_DER_cert(chain[begin : end + len(ssl.PEM_FOOTER)].decode())
    kind = _KINDS.search(leaf)
    return kind is not None and (kind[1] is None or int.from_bytes(kind[1], "big") <= _LARGEST_MODULUS)


def _content(path: Path, setting: str) -> bytes:
    try:
        return regular_files.content(path)
    except OSError as error:
        raise OperatorError(
            f"The file {path} (setting {setting}) cannot be read by user {privileges.name()} ({error.strerror}): "
            "mend the path, or give that user the right to read it and to enter the directories above it."
        ) from error


def _try(certificate: Certificate, chain: Path, key: Path) -> None:
    """Shake hands with ourselves, as a client that trusts exactly this certificate."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        with certificate.files() as files:
            client.load_verify_locations(files[0])
            server.load_cert_chain(*files)
        _shake_hands(server, client)
    except ssl.SSLCertVerificationError as error:
        state = _TOO_LATE.get(error.verify_message, f"cannot be used ({error.verify_message})")
        raise OperatorError(
            f"The certificate in {chain} (setting tls_cert) {state}: get a new one, put it there and start again."
        ) from error
    except ssl.SSLError as error:
        raise _unusable(error, chain, key) from error


def _unusable(error: ssl.SSLError, chain: Path, key: Path) -> OperatorError:
    if error.reason == "KEY_VALUES_MISMATCH":
        return OperatorError(
            f"The key in {key} (setting tls_key) is not that of the certificate in {chain} (setting tls_cert): "
            "name two files that were made together, the server's own certificate first in its file."
        )
    return OperatorError(
        f"The files {chain} (setting tls_cert) and {key} (setting tls_key) are not a certificate chain and its key "
        f"in PEM ({error.reason or 'no PEM in it'}): `openssl x509 -in {chain}` and `openssl pkey -noout -in {key}` "
        "show which one is at fault."
    )


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    out, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(back, out), server.wrap_bio(out, back, server_side=True)
    for _ in range(_EXCHANGES):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
