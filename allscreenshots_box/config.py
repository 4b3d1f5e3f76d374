"""What an operator can set: one row a setting, read from flag, environment and file, checked together."""

import difflib
import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from . import hosts, logs, regular_files, resources
from .errors import OperatorError
from .hosts import HostPattern, Network

ENVIRONMENT_PREFIX = "ALLSCREENSHOTS_BOX_"
SERVICE_DATA_DIR = Path("/var/lib/allscreenshots-box")
SERVICE_CONFIG = Path("/etc/allscreenshots-box/config.toml")

_DURATION = re.compile(r"(\d{1,9})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def duration(text: str) -> timedelta:
    """Read ``1s``, ``5m``, ``24h`` or ``90d``; ValueError for anything else."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a duration such as 30s, 5m, 24h or 90d")
    try:
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        raise ValueError(f"{text!r} is longer than a million years") from None


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else duration(str(value)).total_seconds()


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        try:
            number = int(str(value))
        except ValueError:
            raise ValueError(f"{value!r} is not a whole number") from None
        if not low <= number <= high:
            raise ValueError(f"{number} is not between {low} and {high}")
        return number

    return read


def _within(low: float, high: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        seconds = _seconds(value)
        if not low <= seconds <= high:
            raise ValueError(f"{seconds:g}s is not between {low:g}s and {high:g}s")
        return seconds

    return read


def _truth(value: Any) -> bool:
    try:
        return _TRUTH[str(value).lower()]
    except KeyError:
        raise ValueError(f"{value!r} is neither true nor false") from None


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if str(value).lower() not in choices:
            raise ValueError(f"{value!r} is not one of {', '.join(choices)}")
        return str(value).lower()

    return read


def _words(value: Any) -> list[str]:
    words = value if isinstance(value, list | tuple) else str(value).split(",")
    return [word.strip() for word in map(str, words) if word.strip()]


def _endpoint(value: Any) -> str:
    if not (text := str(value).strip()):
        return ""
    where, _, port = text.rpartition(":")
    if not where:
        raise ValueError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:9090 or [::1]:9090")
    bare = where[1:-1] if where.startswith("[") and where.endswith("]") else where
    host, number = _host(bare), _whole(1, 65535)(port)
    return f"[{host}]:{number}" if ":" in host else f"{host}:{number}"


def _levels(value: Any) -> tuple[str, ...]:
    for word in (found := _words(value)):
        part, _, level = word.lower().partition("=")
        if part not in logs.PARTS or level not in logs.LEVELS:
            raise ValueError(
                f"{word!r} is not PART=LEVEL, with a part of {', '.join(logs.PARTS)} and a level of "
                f"{', '.join(logs.LEVELS)}"
            )
    return tuple(word.lower() for word in found)


def _networks(value: Any) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word, strict=False) for word in _words(value))


def _host(value: Any) -> str:
    return hosts.host(str(value))


def _places(value: Any) -> tuple[HostPattern, ...]:
    return tuple(hosts.read(word) for word in _words(value))


def _exceptions(value: Any) -> tuple[HostPattern, ...]:
    for place in (found := _places(value)):
        if not isinstance(place.where, str) and place.where.is_loopback and place.port is None:
            raise ValueError(f"{place} is this machine, which is opened by HOST:PORT only, such as 127.0.0.1:3000")
    return found


def _hosts(value: Any) -> tuple[HostPattern, ...]:
    for place in (found := _places(value)):
        if not isinstance(place.where, str) and place.where.num_addresses > 1:
            raise ValueError(
                f"{place} is a network: name hosts, such as wiki.corp.example, *.lab.example or 10.0.0.5:8443"
            )
    return found


def _optional_path(value: Any) -> Path | None:
    return Path(str(value)).expanduser() if str(value) else None


def _directory(value: Any) -> Path:
    if not str(value).strip():
        raise ValueError("it names no directory")
    return Path(str(value)).expanduser().absolute()


def default_data_dir() -> Path:
    """Where the data lives when nobody says: the service's place where it exists or we may make it."""
    if os.geteuid() == 0 or SERVICE_DATA_DIR.is_dir():
        return SERVICE_DATA_DIR
    home = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    return Path(home) / "allscreenshots-box"


def _setting(default: Any, read: Callable[[Any], Any], meaning: str, *, reloadable: bool = False) -> Any:
    """Return a row of Settings. What is *reloadable* a running server takes up when it reads its settings again."""
    metadata = {"read": read, "help": meaning, "reloadable": reloadable}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings in force. A Settings that exists has been checked."""

    data_dir: Path = _setting(default_data_dir, _directory, "Where keys and work files are kept.")
    host: str = _setting("127.0.0.1", _host, "The address to listen on.")
    port: int = _setting(8080, _whole(1, 65535), "The port to listen on.")
    tls_cert: Path | None = _setting(
        None,
        _optional_path,
        "A PEM file: the box's certificate, then those that lead to its authority; turns TLS on.",
        reloadable=True,
    )
    tls_key: Path | None = _setting(None, _optional_path, "A PEM file: the key of that certificate.", reloadable=True)
    connections: int = _setting(
        1000, _whole(10, 60_000), "How many connections of clients may be open at the same time."
    )
    arrive_within: float = _setting(
        30.0,
        _within(1, 600),
        "How long the head of a request may take to arrive, its body too, and a connection stay without a request.",
    )
    user: str = _setting("allscreenshots", str, "Who the server becomes when it is started as root.")
    allow: tuple[HostPattern, ...] = _setting(
        (),
        _exceptions,
        "What may be reached although a rule refuses it, comma-separated: HOST:PORT on this machine, and private "
        "hosts, *.DOMAINs, addresses or networks that public pages may use.",
        reloadable=True,
    )
    deny: tuple[HostPattern, ...] = _setting(
        (),
        _places,
        "Hosts, *.DOMAINs, addresses and networks that may never be shot or used by a page, comma-separated; "
        "wins over allow.",
        reloadable=True,
    )
    ca_dir: Path | None = _setting(
        None,
        _optional_path,
        "A directory of PEM files with certificates of your own authorities, trusted beside those of the browser.",
    )
    insecure_hosts: tuple[HostPattern, ...] = _setting(
        (),
        _hosts,
        "Hosts, *.DOMAINs and addresses, maybe with :PORT, whose certificates are NOT checked, comma-separated.",
    )
    trusted_proxy: tuple[Network, ...] = _setting(
        (),
        _networks,
        "Networks of the reverse proxies whose X-Forwarded-For, -Proto and -Host are believed, comma-separated.",
        reloadable=True,
    )
    browser: Path | None = _setting(
        None, _optional_path, "The Chromium to drive; found by itself when unset, headless shell first."
    )
    slots: int = _setting(resources.slots, _whole(1, 64), "How many pages are rendered at the same time.")
    queue_size: int = _setting(
        100, _whole(1, 10_000), "How many requests may wait for a slot before new ones are shed."
    )
    queue_timeout: float = _setting(20.0, _within(0.1, 300), "How long a request may wait for a slot.")
    answer_within: float = _setting(
        55.0, _within(2, 600), "How long waiting and rendering may take together; clients give up at 60s."
    )
    png: str = _setting("fast", _one_of("fast", "small"), "How PNGs are packed: fast, or small for more time.")
    picture_memory: int = _setting(
        512, _whole(32, 16_384), "MiB that a full page may take, at three bytes a pixel, before it is refused."
    )
    fetch_limit: int = _setting(
        1024, _whole(1, 1_000_000), "MiB that one shot may fetch; then its connections are cut."
    )
    recycle_after: int = _setting(1000, _whole(10, 1_000_000), "After how many shots the browser is replaced.")
    recycle_age: float = _setting(
        86_400.0, _within(60, 2_592_000), "After how long the browser is replaced, however little it did."
    )
    recycle_memory: int = _setting(
        1024, _whole(256, 65_536), "MiB that the browser's own process may hold before it is replaced."
    )
    page_memory: int = _setting(
        2048, _whole(512, 65_536), "MiB that the process of one page may hold before it is ended; then the page is 422."
    )
    block_rules: Path | None = _setting(
        None, _optional_path, "A file with blocking rules of your own, in the syntax of EasyList.", reloadable=True
    )
    ops_listen: str = _setting(
        "", _endpoint, "HOST:PORT for /ready and /metrics, by plain HTTP; the main port then has neither."
    )
    admin_listen: str = _setting(
        "", _endpoint, "HOST:PORT for the operator's page, by plain HTTP; the main port then does not have it."
    )
    no_admin: bool = _setting(False, _truth, "Whether there is NO operator's page: the command line does all it does.")
    metrics_keys: bool = _setting(False, _truth, "Whether /metrics counts by key, named by its first 12 characters.")
    drain: float = _setting(
        60.0, _within(0, 600), "How long a stopping server lets running and waiting shots finish.", reloadable=True
    )
    argon2_memory: int = _setting(
        19, _whole(19, 1024), "MiB of memory that hashing a key takes; raising it rehashes keys as they are used."
    )
    argon2_passes: int = _setting(
        2, _whole(2, 20), "Passes over that memory; raising it rehashes keys as they are used."
    )
    log_queries: bool = _setting(
        False, _truth, "Whether the query strings of shot URLs are logged; they often hold secrets.", reloadable=True
    )
    log_level: str = _setting("info", _one_of(*logs.LEVELS), "From which level on the log is written.", reloadable=True)
    log_levels: tuple[str, ...] = _setting(
        (),
        _levels,
        "Levels of parts that differ, comma-separated: request=warning, browser=debug, box=error.",
        reloadable=True,
    )
    log_health: bool = _setting(
        False, _truth, "Whether requests for /health, /ready and /metrics are logged as others are.", reloadable=True
    )
    dangerously_disable_sandbox: bool = _setting(
        False, _truth, "Whether to run pages WITHOUT Chromium's sandbox: a page's exploit is then on this machine."
    )

    @property
    def database_path(self) -> Path:
        """The one SQLite file."""
        return self.data_dir / "box.db"

    @property
    def ops_address(self) -> tuple[str, int] | None:
        """Host and port of the listener for /ready and /metrics, if it is apart."""
        return _address(self.ops_listen)

    @property
    def admin_address(self) -> tuple[str, int] | None:
        """Host and port of the listener for the operator's page, if it is apart."""
        return None if self.no_admin else _address(self.admin_listen)

    @property
    def page_url(self) -> str | None:
        """Where the operator's page is, as far as the settings tell; None if there is none."""
        if self.no_admin:
            return None
        host, port = self.admin_address or (self.host, self.port)
        tls = self.tls_cert is not None and self.admin_address is None
        return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/admin"

    @property
    def lists_dir(self) -> Path:
        """Where filter lists lie that are fresher than those in the package."""
        return self.data_dir / "lists"

    @property
    def temporary_dir(self) -> Path:
        """Where browser profiles live; emptied at every start."""
        return self.data_dir / "tmp"


def _address(listen: str) -> tuple[str, int] | None:
    host, _, port = listen.rpartition(":")
    return (host.strip("[]"), int(port)) if host else None


NAMES = tuple(row.name for row in fields(Settings))
FORMER = {"line_length": "queue_size", "line_wait": "queue_timeout"}  # what is called otherwise now


@dataclass(frozen=True)
class Loaded:
    """Settings, and where each one came from."""

    settings: Settings
    sources: Mapping[str, str]


def load(
    flags: Mapping[str, Any],
    environment: Mapping[str, str] = os.environ,
    config: Path | None = None,
    *,
    insist: bool = False,
) -> Loaded:
    """Return the settings in force: flag over environment over file over default.

    *config* None reads the service's file if there is one that we may read; one that we may not is an error
    if we *insist*, as a server does which has read it before. Raises OperatorError for an
    unknown name or a bad value, naming where it stands and the nearest right name.
    """
    values: dict[str, tuple[Any, str]] = {}
    path = config or _optional_path(environment.get(f"{ENVIRONMENT_PREFIX}CONFIG", ""))
    for name, value in _read_file(path, insist=insist).items():
        values[_known(name.replace("-", "_"), name, f"the file {path or SERVICE_CONFIG}")] = (
            value,
            str(path or SERVICE_CONFIG),
        )
    for variable, value in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and variable != f"{ENVIRONMENT_PREFIX}CONFIG":
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            values[_known(name, variable, "the environment")] = (value, variable)
    values |= {name: (value, f"--{name.replace('_', '-')}") for name, value in flags.items() if value is not None}
    read = {row.name: _checked(row.name, *values[row.name]) for row in fields(Settings) if row.name in values}
    sources = {name: values[name][1] if name in values else "default" for name in NAMES}
    return Loaded(Settings(**read), sources)


def _read_file(path: Path | None, *, insist: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(regular_files.content(path or SERVICE_CONFIG).decode())
    except (FileNotFoundError, PermissionError) as error:
        if path is None and not (insist and isinstance(error, PermissionError)):
            return {}
        raise OperatorError(f"The settings file {path or SERVICE_CONFIG} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OperatorError(f"The settings file {path or SERVICE_CONFIG} cannot be read: {reason}.") from error


def _known(name: str, spelled: str, where: str) -> str:
    if name in NAMES:
        return name
    if name in FORMER:
        raise OperatorError(f"The setting {spelled!r} in {where} is called {FORMER[name]!r} now.")
    near = difflib.get_close_matches(name, NAMES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`allscreenshots-box config` lists the settings."
    raise OperatorError(f"Unknown setting {spelled!r} in {where}: {hint}")


def _checked(name: str, value: Any, source: str) -> Any:
    read = next(row for row in fields(Settings) if row.name == name).metadata["read"]
    try:
        return read(value)
    except (ValueError, TypeError) as error:
        raise OperatorError(f"Setting {name!r} (from {source}): {error}.") from error


def spelled(value: Any) -> str:
    """Return a setting's value as an operator would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}s"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def table() -> list[tuple[str, str, str, str]]:
    """Return (name, variable, default, meaning) of every setting, for the docs."""
    rows = []
    for row in fields(Settings):
        default = {"data_dir": "see below", "slots": "by cores and memory"}.get(row.name)
        if default is None and row.default is not MISSING:
            default = spelled(row.default)
        rows.append((row.name, ENVIRONMENT_PREFIX + row.name.upper(), default or "", row.metadata["help"]))
    return rows
