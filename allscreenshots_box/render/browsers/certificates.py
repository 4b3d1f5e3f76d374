"""Whose certificates are believed: Chromium's own authorities, the operator's beside them, and hosts that need none."""

import ipaddress
import os
import re
import shutil
import ssl
import stat
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...errors import BoxError, CertificateInvalid, OperatorError
from ...hosts import HostPattern, Network
from .cdp import Session

SUFFIXES = (".pem", ".crt")
MOST_FILES = 100
LARGEST_FILE = 1 << 20  # bytes; all the authorities that a browser comes with are a quarter of it
MOST_CERTIFICATES = 200  # each takes certutil a hundredth of a second
CERTUTIL_SECONDS = 10.0
STORE = Path(".pki/nssdb/cert9.db")  # where Chromium looks for it, below its home
AN_AUTHORITY = "C,,"  # vouches for servers, and for nothing else
ITSELF_ONLY = "P,,"  # a certificate that is no authority's: believed, and vouches for no other
SAME_DOCUMENT = {"sameDocument", "historySameDocument"}  # navigations that lead nowhere else

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_CERTIFICATE = re.compile(_BEGIN + rb"[^-]+-----END CERTIFICATE-----")
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")

_NOT_VALID = "The page's certificate is not valid"
_CURE_ISSUER = "The operator can have its issuer trusted (ca_dir) or the host left unchecked (insecure_hosts)."
_CURE_OTHER = "Until that is mended, the operator can leave the host unchecked (insecure_hosts)."
_PROBLEMS = {
    "AUTHORITY_INVALID": f"it is self-signed, or its issuer is not known to the box. {_CURE_ISSUER}",
    "DATE_INVALID": f"it has expired, or is not valid yet. {_CURE_OTHER}",
    "COMMON_NAME_INVALID": f"it is for another host name. {_CURE_OTHER}",
    "REVOKED": f"it has been revoked. {_CURE_OTHER}",
    "WEAK_KEY": f"its key is too weak. {_CURE_OTHER}",
    "WEAK_SIGNATURE_ALGORITHM": f"its signature is of a kind that is too weak. {_CURE_OTHER}",
    "NAME_CONSTRAINT_VIOLATION": f"its issuer may not vouch for this host. {_CURE_OTHER}",
    "VALIDITY_TOO_LONG": f"it is valid for longer than browsers accept. {_CURE_OTHER}",
}
_OTHER = f"browsers do not accept it. {_CURE_OTHER}"
_ABOUT_CERTIFICATES = {"SSL_PINNED_KEY_NOT_IN_CERT_CHAIN", "SSL_KEY_USAGE_INCOMPATIBLE", "SSL_SERVER_CERT_BAD_FORMAT"}


def problem(code: str) -> CertificateInvalid | None:
    """Return what the browser's *code* says of a certificate, in words of ours; None if it is about something else."""
    kind = code.removeprefix("net::").removeprefix("ERR_")
    if not kind.startswith("CERT") and kind not in _ABOUT_CERTIFICATES:
        return None
    told = _PROBLEMS.get(kind.removeprefix("CERT_"), _OTHER)
    return CertificateInvalid(f"{_NOT_VALID}: {told}")


# --- authorities of the operator's own ----------------------------------------------------------


@dataclass(frozen=True)
class Authorities:
    """The operator's own authorities, as the store that a browser reads when it starts."""

    store: bytes = b""
    count: int = 0

    def lay(self, home: Path) -> None:
        """Put the store where a browser with this *home* finds it."""
        if self.store:
            path = home / STORE
            path.parent.mkdir(mode=0o700, parents=True)
            path.write_bytes(self.store)


def authorities(directory: Path | None) -> Authorities:
    """Return the authorities in the PEM files of *directory*, none without one. Raises OperatorError."""
    if directory is None:
        return Authorities()
    certificates = _all_in(directory)
    with tempfile.TemporaryDirectory(prefix="authorities-") as work:
        _certutil(work, "-N", "--empty-password")
        for number, (certificate, path) in enumerate(certificates.items()):
            flags = AN_AUTHORITY if _is_authority(certificate, path) else ITSELF_ONLY
            _certutil(work, "-A", "-n", f"{number}", "-t", flags, given=certificate)
        return Authorities((Path(work) / STORE.name).read_bytes(), len(certificates))


def _all_in(directory: Path) -> dict[bytes, Path]:
    """Return every certificate, as DER, with the file that it is in."""
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise OperatorError(
            f"The directory {directory} of the setting ca_dir cannot be read ({error.strerror}): "
            "make it readable to the server's user, or unset ca_dir."
        ) from error
    if not paths:
        raise OperatorError(
            f"The directory {directory} of the setting ca_dir holds no file that ends in .pem or .crt: "
            "put your authority's certificate there, or unset ca_dir."
        )
    if len(paths) > MOST_FILES:
        raise OperatorError(
            f"The directory {directory} of the setting ca_dir holds {len(paths)} files that end in .pem or .crt: "
            f"at most {MOST_FILES} are read, so leave only your own authorities in it."
        )
    found = {certificate: path for path in paths for certificate in _certificates(path)}
    if len(found) > MOST_CERTIFICATES:
        raise OperatorError(
            f"The directory {directory} of the setting ca_dir holds {len(found)} certificates: "
            f"at most {MOST_CERTIFICATES} are read, so leave only your own authorities in it."
        )
    return found


def _certificates(path: Path) -> list[bytes]:
    text = _content(path)
    if _PRIVATE_KEY.search(text):
        raise OperatorError(
            f"The file {path} of ca_dir holds a private key, which has no business there: "
            "leave only certificates in it, and think about who could read the key."
        )
    found = _CERTIFICATE.findall(text)
    if not found or len(found) != text.count(_BEGIN):
        raise _broken(path)
    try:
        return [ssl.PEM_cert_to_DER_cert(one.decode()) for one in found]
    except ValueError as error:
        raise _broken(path) from error


def _content(path: Path) -> bytes:
    try:
        # Not blocking: a pipe by that name would be waited for until somebody writes to it.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE:
                raise OperatorError(
                    f"{path} in ca_dir is not a file of at most {LARGEST_FILE >> 20} MiB: take it out of there."
                )
            return file.read(LARGEST_FILE)
    except OSError as error:
        raise OperatorError(
            f"The file {path} of ca_dir cannot be read ({error.strerror}): "
            "make it readable to the server's user, or take it out of there."
        ) from error


def _is_authority(certificate: bytes, path: Path) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=certificate)
    except (ssl.SSLError, ValueError) as error:
        raise _broken(path) from error
    return context.cert_store_stats()["x509_ca"] > 0


def _broken(path: Path) -> OperatorError:
    return OperatorError(
        f"The file {path} of ca_dir is not a certificate in PEM: "
        "convert it (`openssl x509 -inform der -in FILE -out FILE.pem`), or take it out of there."
    )


def _certutil(store: str, *words: str, given: bytes = b"") -> None:
    program = shutil.which("certutil")
    if program is None:
        raise OperatorError("The setting ca_dir needs the program certutil: `apt-get install libnss3-tools`.")
    command = [program, *words, "-d", f"sql:{store}"]
    try:
        subprocess.run(command, input=given, check=True, capture_output=True, timeout=CERTUTIL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise OperatorError(
            f"certutil cannot make the browser's certificate store in {Path(store).parent}: "
            "check the rights and the space there, and that `certutil -H` is that of libnss3-tools."
        ) from error


# --- hosts whose certificates are not checked ---------------------------------------------------


class Inspector:
    """Decides on every bad certificate that one page meets; with one of its document's, the shot has failed.

    Chromium asks before it uses the connection, for all that the page loads, its frames, workers and WebSockets too.
    """

    def __init__(
        self, session: Session, frame: str, insecure: tuple[HostPattern, ...], fail: Callable[[BoxError], None]
    ) -> None:
        self._session = session
        self._frame = frame
        self._insecure = insecure
        self._fail = fail
        self._arrived = False
        self._leaving = False
        self._refused: CertificateInvalid | None = None  # since it is leaving
        session.on("Page.frameStartedNavigating", self._leave)
        session.on("Page.frameNavigated", self._arrive)
        session.on("Page.frameStoppedLoading", self._stay)
        session.on("Security.certificateError", self._decide)
        session.send("Security.enable")
        session.send("Security.setOverrideCertificateErrors", override=True)

    def _leave(self, event: dict[str, Any]) -> None:
        if event["frameId"] == self._frame and event.get("navigationType") not in SAME_DOCUMENT:
            self._leaving, self._refused = True, None

    def _arrive(self, event: dict[str, Any]) -> None:
        if event["frame"]["id"] == self._frame:
            self._arrived, self._leaving = "unreachableUrl" not in event["frame"], False

    def _stay(self, event: dict[str, Any]) -> None:
        """Note that the page is where it was: it could not leave if what it was bound for has been refused."""
        if event["frameId"] == self._frame and self._leaving:
            self._leaving = False
            if self._refused is not None:
                self._fail(self._refused)

    def _decide(self, event: dict[str, Any]) -> None:
        waived = is_insecure(event["requestURL"], self._insecure)
        action = "continue" if waived else "cancel"
        self._session.send("Security.handleCertificateError", eventId=event["eventId"], action=action)
        if waived:
            return
        self._refused = problem(event["errorType"]) or CertificateInvalid(f"{_NOT_VALID}: {_OTHER}")
        if not self._arrived:  # nothing but the document and its redirects has been asked for
            self._fail(self._refused)


def is_insecure(url: str, places: tuple[HostPattern, ...]) -> bool:
    """Say whether *places* name the host of *url*, an address of https or wss as the browser spells it."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removesuffix("."), parts.port or 443
    except ValueError:
        return False
    return any(place.port in {None, port} and _is_named(host, place.where) for place in places)


def _is_named(host: str, where: Network | str) -> bool:
    if isinstance(where, str):
        return host.endswith(where[1:]) if where.startswith("*.") else host == where
    try:
        return ipaddress.ip_address(host) in where
    except ValueError:
        return False
