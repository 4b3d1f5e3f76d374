import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from PIL import Image

from allscreenshots_box.captures.request import ScreenshotRequest
from allscreenshots_box.cli import flags, main
from allscreenshots_box.render.browsers import orphans
from tests.box import PROGRAM, Box, command, environment
from tests.camera import SMALL, good
from tests.site.server import Site

pytestmark = [pytest.mark.browser, pytest.mark.long]

FIELDS = {field.name: field for field in msgspec.structs.fields(ScreenshotRequest)}
BY_JSON = {"actions", "outputs", "session"}
END_SECONDS = 30


@pytest.fixture
def above(data_dir: Path) -> Path:
    """Return a directory for results, beside that of the data."""
    return data_dir.parent


def words(data_dir: Path, site: Site, *more: str) -> list[str]:
    return ["--data-dir", str(data_dir), "shot", "--allow", f"127.0.0.1:{site.port}", "--viewport", "400x300", *more]


# --- what is asked for --------------------------------------------------------------------------


def test_every_field_has_an_option_unless_it_needs_json_or_a_server() -> None:
    assert {option.name for option in flags.options()} == set(FIELDS) - flags.NO_FLAG - BY_JSON


@pytest.mark.parametrize("name", sorted(set(FIELDS) - flags.NO_FLAG - BY_JSON))
def test_an_option_is_found_by_its_fields_wire_path(name: str) -> None:
    assert flags.flag(f"{FIELDS[name].encode_name}[0].x") == f"--{name.replace('_', '-')}"


REFUSED = [
    ("", "URL is required"),
    ("--quality 101", "--quality must be a whole number from 1 to 100"),
    ("--quality high", "--quality must be a whole number from 1 to 100"),
    ("--viewport 99x300", "--viewport: width must be a whole number from 100 to 4096"),
    ("--viewport large", "such as 1280x720@2"),
    ("--wait-until never", "--wait-until must be one of load, "),
    ("--device Nokia", "--device must be the name of a device; the nearest are "),
    ("--selector " + "x" * 501, "--selector must be text of at most 500 characters"),
    ("--format gif", "--format must be one of png, "),
    ("-o x.gif", "say --format"),
    ("-o x.json", "an output that says what to read"),
    ("-o x.png --format pdf", "x.png ends in .png, and what was asked for is pdf"),
    ("-o x.png --format markdown", "x.png ends in .png, and what was asked for is markdown"),
    ("--cookie a=b", "every user of this machine could read"),
    ("--session {}", "every user of this machine could read"),
    ("--header a", "every user of this machine could read"),
    ("--actions []", "for --json"),
    ("--qualty 3", "--quality"),
]


@pytest.mark.parametrize(("options", "said"), REFUSED, ids=[options[:30] for options, _ in REFUSED])
def test_what_is_wrong_is_told_by_the_name_of_its_option(options: str, said: str) -> None:
    url = ["https://example.com"] if options else []
    refused = CliRunner().invoke(main, ["shot", *url, *options.split()])
    assert refused.exit_code == 2
    assert said in refused.stderr


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("nonsense", "is not JSON"),
        ("[]", "must hold a JSON object"),
        ("[" * 100_000, "is not JSON"),
        ('{"quality": 0}', "quality in --json must be a whole number from 1 to 100"),
        ('{"actions": [{"type": "click"}]}', "actions[0].selector in --json is required"),
        ('{"outputs": [{"type": "markdown"}, {"type": "html"}]}', "2 outputs need a directory"),
        ('{"outputs": [{"type": "markdown"}]}', "ends in .png, and what was asked for is markdown"),
        (" " * (1 << 20) + "{}", "is larger than 1 MiB"),
    ],
    ids=lambda text: text[:20].strip() or "large",
)
def test_what_is_wrong_in_json_is_told_by_its_path(tmp_path: Path, body: str, said: str) -> None:
    (tmp_path / "body.json").write_text(body)
    refused = CliRunner().invoke(
        main, ["shot", "https://example.com", "--json", str(tmp_path / "body.json"), "-o", str(tmp_path / "x.png")]
    )
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["body.json"]


def test_secrets_in_json_are_not_told() -> None:
    body = {"session": {"cookies": [{"name": "a", "value": "hush" * 2000}]}}
    refused = CliRunner().invoke(main, ["shot", "https://x.example", "--json", "-"], input=json.dumps(body))
    assert refused.exit_code == 2
    assert "session.cookies[0].value in --json" in refused.stderr
    assert "hush" not in refused.stderr


# --- what becomes of it -------------------------------------------------------------------------


def test_a_picture_is_written_for_whoever_called(site: Site, data_dir: Path, above: Path) -> None:
    made = command(*words(data_dir, site, site.url("/green.html"), "-o", str(above / "x.png")))
    assert made.returncode == 0, made.stderr
    assert made.stdout == ""
    assert made.stderr.count("\n") == 1
    assert "400 x 300" in made.stderr
    with Image.open(above / "x.png") as image:
        assert (image.format, image.size) == ("PNG", (400, 300))
    assert (above / "x.png").stat().st_uid == os.geteuid()
    assert sorted(path.name for path in above.iterdir()) == ["data", "x.png"]
    assert not [path for path in data_dir.iterdir() if path.name.startswith("shot-")]


def test_options_win_over_json(site: Site, data_dir: Path, above: Path) -> None:
    (above / "body.json").write_text(json.dumps({"url": site.url("/tall.html"), "fullPage": True, "format": "webp"}))
    made = command(*words(data_dir, site, "--json", str(above / "body.json"), "--no-full-page", "-o", str(above / "x")))
    assert made.returncode == 0, made.stderr
    with Image.open(above / "x") as image:
        assert (image.format, image.size) == ("WEBP", (400, 300))


def test_text_goes_to_standard_output(site: Site, data_dir: Path) -> None:
    made = command(*words(data_dir, site, site.url("/article.html"), "--format", "markdown", "-o", "-"))
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("# How bread is made")


def test_several_outputs_go_into_a_directory(site: Site, data_dir: Path, above: Path) -> None:
    outputs = [{"type": "screenshot", "format": "jpg"}, {"type": "markdown", "id": "text"}, {"type": "pdf"}]
    (above / "body.json").write_text(json.dumps({"outputs": outputs}))
    (above / "out").mkdir()
    options = ["--json", str(above / "body.json"), "-o", str(above / "out")]
    made = command(*words(data_dir, site, site.url("/article.html"), *options))
    assert made.returncode == 0, made.stderr
    assert {path.name for path in (above / "out").iterdir()} == {"screenshot.jpg", "text.md", "pdf.pdf"}


def test_a_failure_is_one_sentence_with_its_code_and_no_file(site: Site, data_dir: Path, above: Path) -> None:
    options = ["--fail-on-http-error", "-o", str(above / "x.png")]
    failed = command(*words(data_dir, site, site.url("/no-such-page"), *options))
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: http_error: ")
    assert failed.stderr.count("\n") == 1
    assert [path.name for path in above.iterdir()] == ["data"]


@pytest.mark.parametrize("name", ["absent/x.png", "x" * 300 + ".png"])
def test_a_file_that_cannot_be_is_told_before_the_browser_starts(data_dir: Path, above: Path, name: str) -> None:
    failed = command("--data-dir", str(data_dir), "shot", "https://example.com", "-o", str(above / name))
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: The file ")
    assert failed.stderr.count("\n") == 1
    assert list(above.iterdir()) == []


def test_a_refused_target_is_told_with_the_reason_and_the_setting(data_dir: Path, above: Path) -> None:
    failed = command("--data-dir", str(data_dir), "shot", "http://127.0.0.1:3000", "-o", str(above / "x.png"))
    assert failed.returncode == 1
    assert "is this machine" in failed.stderr
    assert "the setting allow" in failed.stderr


# --- beside others, and in the middle -----------------------------------------------------------


@contextmanager
def shooting(site: Site, data_dir: Path, above: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a shot that takes its time, and hand it out when its page is being waited for."""
    slow = words(data_dir, site, site.url("/green.html"), "--delay", "20000", "-o", str(above / "x.png"))
    with subprocess.Popen([PROGRAM, *slow], stderr=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            end = time.monotonic() + END_SECONDS
            while not list(data_dir.glob("shot-*/browser-*")):
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < end
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


def browsers(data_dir: Path) -> list[int]:
    """Return the processes that name a profile of a shot below *data_dir*."""
    named = f"--user-data-dir={data_dir}/shot-".encode()
    return [process.pid for process in orphans._processes() if named in process.command and process.state != "Z"]


def gone(data_dir: Path) -> bool:
    end = time.monotonic() + END_SECONDS
    while browsers(data_dir) and time.monotonic() < end:
        time.sleep(0.05)
    return not browsers(data_dir)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_shot_that_is_stopped_leaves_no_process_and_no_file(
    site: Site, data_dir: Path, above: Path, number: signal.Signals
) -> None:
    with shooting(site, data_dir, above) as process:
        process.send_signal(number)
        assert process.wait(END_SECONDS) in {128 + number, -number, 1}
        assert gone(data_dir)
        assert [path.name for path in above.iterdir()] == ["data"]


def test_a_shot_that_is_killed_leaves_no_process_and_no_picture(site: Site, data_dir: Path, above: Path) -> None:
    with shooting(site, data_dir, above) as process:
        process.kill()
        assert process.communicate()[1] == ""  # so its keeper has ended, too
        assert gone(data_dir)
    assert [path.name for path in above.iterdir()] == ["data"]
    (room,) = data_dir.glob("shot-*")
    os.utime(room, (0, 0))
    command(*words(data_dir, site, site.url("/green.html"), "-o", str(above / "x.png")))
    assert not room.exists()


def test_a_shot_goes_on_beside_a_server_that_starts(site: Site, data_dir: Path, above: Path) -> None:
    box = Box(data_dir, "--allow", f"127.0.0.1:{site.port}")
    with shooting(site, data_dir, above) as process, box:
        secret = box.key("svc")
        good(box.shoot(secret, site.url("/green.html"), viewport=SMALL))
        assert process.poll() is None
        assert browsers(data_dir)
    with box:
        made = command(*words(data_dir, site, site.url("/green.html"), "-o", str(above / "y.png")))
        assert made.returncode == 0, made.stderr
        good(box.shoot(secret, site.url("/green.html"), viewport=SMALL))
