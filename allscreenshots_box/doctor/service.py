"""The box as a service: the port it listens on, its certificate, and its systemd unit."""

import errno
import http.client
import json
import os
import shlex
import socket
import ssl
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .. import __version__
from ..config import SERVICE_CONFIG, Settings
from ..errors import OperatorError
from ..web import tls as certificate
from .context import ASKING_SECONDS, SERVICE, SYSTEMD, CheckContext
from .result import CheckResult, Skipped, failed, ok, warning

ANSWER_LENGTH = 4096  # bytes of /health that are read
PACKAGED = Path(__file__).parents[2] / "systemd" / f"{SERVICE}.service"  # in a checkout
UNPRIVILEGED = 1024  # the first port that needs no root
DAY = 86_400  # seconds
SOON = 14 * DAY  # for a certificate; those that renew by themselves do so earlier


def port(context: CheckContext) -> CheckResult:
    """See whether the port is free, or ours."""
    settings = context.settings
    where = f"{settings.host} port {settings.port}"
    choose = f"set another port, from {UNPRIVILEGED} on: --port 8080, or `port = 8080` in {SERVICE_CONFIG}"
    try:
        _bind(settings)
    except PermissionError:
        return failed(f"{where} needs root", choose)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _taken(context, where)
        told = error.strerror or str(error)
        return failed(f"{where} cannot be listened on ({told})", "ip -brief address; set host to one of these")
    if context.server:
        fact = f"{where} is free, but process {context.server} serves this data directory on another"
        return warning(fact, f"give doctor the settings of that server: ps -o args= -p {context.server}")
    if settings.port < UNPRIVILEGED and SYSTEMD.is_dir():
        return warning(f"{where} is free, and the service may not take it: it never is root", choose)
    return ok(f"{where} is free")


def _bind(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((settings.host, settings.port))


def _taken(context: CheckContext, where: str) -> CheckResult:
    told = health(context.settings)
    version = told.get("version")
    show = f"ss -ltnp 'sport = :{context.settings.port}' shows who; stop it, or set another port"
    if told.get("status") != "ok" or not isinstance(version, str):
        return failed(f"{where} is taken by another program", show)
    if not context.server:
        return failed(f"{where} is taken by another {SERVICE}, with another data directory", show)
    if version != __version__:
        return warning(f"{where} is served by version {version}, and this is {__version__}", _restart(context))
    return ok(f"{where}: serving, version {version}, process {context.server}")


def _restart(context: CheckContext) -> str:
    if context.unit.get("ActiveState") == "active":
        return f"systemctl restart {SERVICE}"
    return f"kill {context.server}, and start it again"


def health(settings: Settings) -> Mapping[str, object]:
    """Return what answers at /health says; nothing when that is not JSON over HTTP."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared
    asked = http.client.HTTPConnection(host, settings.port, timeout=ASKING_SECONDS)
    if settings.tls_cert is not None:
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nothing is sent, and only a version is read
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        asked = http.client.HTTPSConnection(host, settings.port, timeout=ASKING_SECONDS, context=blind)
    try:
        asked.request("GET", "/health")
        told = json.loads(asked.getresponse().read(ANSWER_LENGTH))
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    finally:
        asked.close()
    return told if isinstance(told, dict) else {}


def tls(context: CheckContext) -> CheckResult:
    """Read certificate and key as a start does, as root if we are root, and shake hands with ourselves."""
    chain, key = context.settings.tls_cert, context.settings.tls_key
    if chain is None and key is None:
        raise Skipped("off; a reverse proxy may do it")
    shown = shlex.quote(str(chain))
    look = f"openssl x509 -noout -subject -dates -in {shown}; ls -l {shown} {shlex.quote(str(key))}"
    try:
        certificate.read(chain, key)
    except OperatorError as error:
        return failed(str(error), look)
    days = SOON // DAY
    with suppress(OSError):  # no openssl, no word about it
        asked = ["openssl", "x509", "-noout", "-checkend", str(SOON), "-in", str(chain)]
        if subprocess.run(asked, capture_output=True, timeout=ASKING_SECONDS, check=False).returncode == 1:
            return warning(f"{chain} expires within {days} days", f"{look}; renew it, and restart the server")
    return ok(f"{chain} fits its key and is valid")


def unit(context: CheckContext) -> CheckResult:
    """Say how the service stands."""
    if not SYSTEMD.is_dir():
        raise Skipped("systemd does not run this machine")
    return judge(context.unit)


def judge(told: Mapping[str, str]) -> CheckResult:
    """Say what systemd's properties of the service mean."""
    if told.get("LoadState") != "loaded":
        raise Skipped(f"there is no service of that name ({told.get('LoadState', 'unknown')}): ./install.sh makes it")
    active, enabled = told.get("ActiveState", "unknown"), told.get("UnitFileState", "unknown")
    fact = f"{told.get('FragmentPath') or SERVICE}: {active}, {enabled}"
    if active == "failed":
        return failed(fact, f"journalctl -u {SERVICE} -n 50; systemctl restart {SERVICE}")
    if told.get("NeedDaemonReload") == "yes":
        cure = f"systemctl daemon-reload && systemctl restart {SERVICE}"
        return warning(f"{fact}; changed since systemd read it", cure)
    if _differs(Path(told.get("FragmentPath", ""))):
        return warning(f"{fact}; another one than this version's", "sudo ./install.sh")
    if active != "active" or enabled != "enabled":
        return warning(fact, f"systemctl enable --now {SERVICE}")
    return ok(fact)


def _differs(installed: Path) -> bool:
    if not os.access(PACKAGED, os.R_OK) or not installed.is_file():
        return False
    return installed.read_bytes() != PACKAGED.read_bytes()
