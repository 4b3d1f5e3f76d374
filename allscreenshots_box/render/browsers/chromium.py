"""A Chromium process: found, started on a pipe in its sandbox, and ended with all that it started."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from ...errors import OperatorError
from . import orphans, processes
from .cdp import Connection, ConnectionLost, ProtocolError

EXECUTABLES = ("chromium-headless-shell", "chrome-headless-shell", "headless_shell", "chromium", "google-chrome")
# Debian's command is a shell script that stays between the server and the browser, and would die in its place.
WRAPPED = {"/usr/bin/chromium-headless-shell": Path("/usr/lib/chromium/chromium-headless-shell")}
POLITE_SECONDS = 2.0  # for the browser to end by itself
DYING_SECONDS = 0.5  # for one that has closed its pipe to end by itself, and so to tell what it died of
KILLED = {-signal.SIGKILL, -signal.SIGTERM}  # exit codes of who was ended by others
BY_SIGNAL = 128  # a shell's exit code for what it waited for and a signal ended, that signal's number added
LAST_WORDS = 4096  # bytes of its stderr that are kept, to tell why it did not start
BLANK_ENVIRONMENT = ("TMPDIR", "PATH", "LANG", "LC_ALL", "TZ", "FONTCONFIG_FILE", "FONTCONFIG_PATH")
# Chromium reads its commands from descriptor 3 and answers on 4, which here may be anything's. A core of it would hold
# the pages of all callers. When memory ends, the kernel is to end the browser before the server, and pages, which
# Chromium itself puts at 300, before the browser.
# The kernel ends the browser with the server, however that ends; the server may have ended before it was told.
BECOME = """import ctypes, fcntl, os, resource, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
if os.getppid() != int(sys.argv[1]):
    sys.exit("its server has ended")
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
with open("/proc/self/oom_score_adj", "r+") as score:
    if int(score.read()) < 100:
        score.seek(0)
        score.write("100")
commands, answers = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[2:4])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.closerange(5, 256)
os.nice(int(sys.argv[4]))
os.execv(sys.argv[5], sys.argv[5:])"""

DISABLED_FEATURES = (
    "DestroyProfileOnBrowserClose",
    "DialMediaRouteProvider",
    "GlobalMediaControls",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "RenderDocument",  # a new window in the same process does not know its size until it is told
    "Translate",
    "WebRtcHideLocalIpsWithMdns",  # joins a multicast group; without UDP there is no address to hide
)
SWITCHES = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-startup-window",
    "--no-first-run",
    "--no-default-browser-check",
    "--lang=en-US",
    "--accept-lang=en-US,en",  # headless shell sends none by itself
    # The screen is as large as the window that a request gets if it says nothing, else pages are told 800 x 600.
    "--screen-info={1920x1080}",
    "--window-size=1920,1080",
    # Nothing of its own over the network, nothing kept, nothing asked.
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-search-engine-choice-screen",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-pings",
    "--no-service-autorun",
    "--password-store=basic",
    # Errors only: else what pages say to their console is written to stderr, and read by us, at their pace.
    "--enable-logging=stderr",
    "--log-level=2",
    # A picture is of one page: what it would open beside itself is not looked at by anybody.
    "--block-new-web-contents",
    # Pages may not send packets past the proxy; the two builds read one each.
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    # The page is drawn as in a window that somebody looks at with a mouse.
    "--hide-scrollbars",
    "--mute-audio",
    "--force-color-profile=srgb",
    "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-back-forward-cache",
    "--disable-hang-monitor",
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4",
    # Else the first frame may lack pictures that have long been loaded.
    "--disable-checker-imaging",
    f"--disable-features={','.join(DISABLED_FEATURES)}",
)


class Chromium:
    """One browser process and the connection to it."""

    connection: Connection

    def __init__(self, path: Path, profile: Path, *, sandbox: bool, niceness: int = 0) -> None:
        self._path = path
        self._niceness = niceness  # of all its processes, pages have more of their own
        self._profile = profile  # a directory of its own, removed with it
        self._sandbox = sandbox
        self._process: asyncio.subprocess.Process | None = None
        self._said = bytearray()
        self._listening: asyncio.Task[None] | None = None
        self.version = ""
        self.user_agent = ""

    @property
    def pid(self) -> int:
        """The browser's own process."""
        return self._process.pid if self._process is not None else 0

    def processes(self) -> set[int]:
        """Return all processes that it has."""
        return {self.pid, *processes.descendants(self.pid)} if self.pid else set()

    @property
    def last_words(self) -> str:
        """What it wrote to stderr last."""
        return self._said.decode(errors="replace")

    async def has_crashed(self) -> bool:
        """Say whether the process has ended of itself, and badly; call it when the pipe was closed."""
        if self._process is None:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(DYING_SECONDS):
                await self._process.wait()
        code = self._process.returncode or 0
        return code != 0 and (BY_SIGNAL - code if code > BY_SIGNAL else code) not in KILLED

    async def start(self, lost: Callable[[], None]) -> None:
        """Start it and have it say its version; *lost* is called if it ends later.

        Raises OperatorError, or ConnectionLost if somebody else has ended it meanwhile.
        """
        await self._spawn(lost)
        assert self._process is not None  # noqa: S101 - it was just started
        self._listening = asyncio.create_task(self._listen(self._process))
        orphans.note(self._profile, self._process.pid)
        try:
            told = await self.connection.browser.send("Browser.getVersion")
        except ProtocolError as error:
            await asyncio.wait({self._listening}, timeout=POLITE_SECONDS)  # it is dead, and this is why
            await self.end()
            if self._process.returncode in KILLED:
                raise ConnectionLost("The browser was ended while it started.") from error
            raise OperatorError(_advice(self.last_words, self._path)) from error
        self.version, self.user_agent = told["product"].rpartition("/")[2], told["userAgent"]

    async def _spawn(self, lost: Callable[[], None]) -> None:
        switches = [*SWITCHES, f"--user-data-dir={self._profile}", *([] if self._sandbox else ["--no-sandbox"])]
        with ExitStack() as ours, ExitStack() as theirs:
            commands, to_browser = _pipe(theirs, ours)
            from_browser, answers = _pipe(ours, theirs)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-ISc",
                BECOME,
                str(os.getpid()),
                str(commands),
                str(answers),
                str(self._niceness),
                str(self._path),
                *switches,
                pass_fds=(commands, answers),
                start_new_session=True,  # a group of its own, to be ended as one
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env={name: os.environ[name] for name in BLANK_ENVIRONMENT if name in os.environ}
                | {"HOME": str(self._profile)},  # what it finds and leaves there is its own
            )
            # Before its version is known, whoever starts it hears of its end.
            self.connection = Connection(from_browser, to_browser, lambda: lost() if self.version else None)
            ours.pop_all()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None  # noqa: S101 - it was asked for
        while words := await process.stderr.read(LAST_WORDS):
            self._said += words
            del self._said[:-LAST_WORDS]

    async def end(self) -> None:
        """End the process and all that it started, and remove its profile."""
        if self._process is not None:
            await self._end(self._process)
        await asyncio.to_thread(shutil.rmtree, self._profile, ignore_errors=True)

    async def _close(self, process: asyncio.subprocess.Process) -> None:
        try:
            await self.connection.browser.send("Browser.close")
        except ConnectionLost:
            await self.has_crashed()  # by itself, before we do it: else nobody could tell
        else:
            await process.wait()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        try:
            if process.returncode is None and hasattr(self, "connection"):
                with suppress(ProtocolError, TimeoutError):
                    async with asyncio.timeout(POLITE_SECONDS):
                        await self._close(process)
        finally:  # also when there is no time for that
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # the group is ours, and lives as long as a member of it
        await process.wait()
        if hasattr(self, "connection"):
            self.connection.close()
        if self._listening is not None:
            self._listening.cancel()


def _pipe(reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    """Return both ends of a pipe, each to be closed with its stack."""
    reading, writing = os.pipe()
    reader.callback(os.close, reading)
    writer.callback(os.close, writing)
    return reading, writing


def find_executable() -> Path:
    """Return the Chromium to drive: headless shell is twice as fast as the full browser. Raises OperatorError."""
    for name in EXECUTABLES:
        if found := shutil.which(name):
            inner = WRAPPED.get(found)
            return inner if inner is not None and inner.is_file() else Path(found)
    raise OperatorError(
        "No Chromium was found: on Debian `apt-get install chromium-headless-shell`; elsewhere 'The browser' in "
        "docs/install.md says what helps. One that is not on PATH is named with the setting browser."
    )


def _advice(text: str, executable: Path) -> str:
    if "sandbox" in text.lower():
        return (
            "Chromium cannot build its sandbox here: allow unprivileged user namespaces (on Ubuntu `sudo ./install.sh` "
            "lays an AppArmor profile for that; elsewhere `sysctl kernel.unprivileged_userns_clone=1`), and do not "
            "run as root."
        )
    return (
        f"The browser {executable} does not start: run it by hand with --headless --version to see "
        "why, or name another with the setting browser ('The browser' in docs/install.md says which; no snap)."
    )
