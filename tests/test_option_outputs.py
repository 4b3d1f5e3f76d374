"""What is made of a page, each kind of output looked into."""

import io
from collections.abc import Iterator
from typing import Any

import pypdf
import pytest
from PIL import Image

from tests.camera import GREEN, RED, Camera, bands, colour, good, is_all, is_near, open_camera, picture
from tests.site.server import Site

pytestmark = pytest.mark.browser

PRINTED_RED = b"1 0 0 rg"  # how a page of a PDF says: fill with red
A4, LETTER = (595, 842), (612, 792)  # in points


@pytest.fixture(scope="module")
def camera(site: Site) -> Iterator[Camera]:
    with open_camera(site) as opened:
        yield opened


def made(camera: Camera, path: str, spec: dict[str, Any], **body: Any) -> Any:
    """Return the content of a load's only output."""
    [output] = camera.outputs(path, spec, **body).values()
    return output["data"]


def pages(content: bytes) -> list[pypdf.PageObject]:
    return list(pypdf.PdfReader(io.BytesIO(content)).pages)


def size(page: pypdf.PageObject) -> tuple[int, int]:
    """Return width and height in whole points, as it is shown."""
    box = page.mediabox
    sides = (round(box.width), round(box.height))
    return sides if page.rotation % 180 == 0 else sides[::-1]


def is_paper(found: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Say whether a page has a size, give or take what inches and millimetres differ by."""
    return all(abs(one - other) <= 2 for one, other in zip(found, wanted, strict=True))


# --- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "kind", "media_type"),
    [
        ({}, "PNG", "image/png"),
        ({"format": "png"}, "PNG", "image/png"),
        ({"format": "jpeg"}, "JPEG", "image/jpeg"),
        ({"format": "jpg"}, "JPEG", "image/jpeg"),
        ({"format": "webp"}, "WEBP", "image/webp"),
    ],
    ids=str,
)
def test_a_picture_has_its_format(camera: Camera, spec: dict[str, Any], kind: str, media_type: str) -> None:
    output = camera.outputs("/green.html", {"type": "screenshot"} | spec)["screenshot"]
    assert (output["type"], output["contentType"], output["size"]) == ("screenshot", media_type, len(output["data"]))
    image = Image.open(io.BytesIO(output["data"]))
    assert (image.format, image.size) == (kind, (400, 300))
    assert is_near(colour(image.convert("RGB"), 200, 150), GREEN)


def test_a_pictures_quality_buys_bytes(camera: Camera) -> None:
    specs = [{"type": "screenshot", "format": "jpeg", "id": f"q{quality}", "quality": quality} for quality in (10, 95)]
    found = camera.outputs("/table.html", *specs)
    assert found["q10"]["size"] < found["q95"]["size"] / 2


def test_a_picture_may_be_of_the_full_page(camera: Camera) -> None:
    for full_page, height in ((False, 300), (True, 3000)):
        content = made(camera, "/tall.html", {"type": "screenshot", "fullPage": full_page}, scrollInterval=50)
        assert picture(content).size == (400, height)


def test_a_picture_may_be_of_one_element(camera: Camera) -> None:
    image = picture(made(camera, "/elements.html", {"type": "screenshot", "selector": "#target"}))
    assert (image.size, is_all(image, RED)) == ((200, 100), True)


# --- PDF ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({}, A4),
        ({"format": None}, A4),
        ({"format": "A4"}, A4),
        ({"format": "Letter"}, LETTER),
        ({"format": "letter"}, LETTER),
        ({"landscape": False}, A4),
        ({"landscape": True}, A4[::-1]),
        ({"landscape": True, "format": "Letter"}, LETTER[::-1]),
    ],
    ids=str,
)
def test_a_pdf_is_on_its_paper(camera: Camera, spec: dict[str, Any], wanted: tuple[int, int]) -> None:
    found = pages(made(camera, "/green.html", {"type": "pdf"} | spec))
    assert all(is_paper(size(page), wanted) for page in found)


def test_a_pdf_is_what_a_printer_gets(camera: Camera) -> None:
    texts = [page.extract_text() for page in pages(made(camera, "/print.html", {"type": "pdf"}))]
    assert texts == ["PRINT one", "PRINT two", "PRINT three"]


@pytest.mark.parametrize(
    ("spec", "is_red"),
    [({}, True), ({"printBackground": True}, True), ({"printBackground": False}, False)],
    ids=str,
)
def test_a_pdf_has_backgrounds_if_they_are_wanted(camera: Camera, spec: dict[str, Any], is_red: bool) -> None:  # noqa: FBT001
    contents = pages(made(camera, "/print.html", {"type": "pdf"} | spec))[0].get_contents()
    assert contents is not None
    assert (PRINTED_RED in contents.get_data()) == is_red


def test_a_pdf_as_the_only_answer(camera: Camera) -> None:
    answer = good(camera.ask("/print.html", format="pdf"))
    assert answer.headers["content-type"] == "application/pdf"
    found = pages(answer.content)
    assert (len(found), is_paper(size(found[0]), A4)) == (3, True)


# --- texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [{}, {"clean": True}], ids=str)
def test_clean_html_has_the_words_and_not_the_machinery(camera: Camera, spec: dict[str, Any]) -> None:
    found = made(camera, "/article.html", {"type": "html"} | spec)
    assert "How bread is made" in found
    assert "guild" in found
    for gone in ("<script", "<style", "<!--", "nobody should read"):
        assert gone not in found


def test_html_that_is_not_cleaned_is_the_page_as_it_is_now(camera: Camera) -> None:
    found = made(camera, "/article.html", {"type": "html", "clean": False})
    for there in ("<script", "<style", "nobody should read", 'data-made="by a script"'):
        assert there in found


@pytest.mark.parametrize(
    ("spec", "is_main"),
    [
        ({"type": "html"}, False),
        ({"type": "html", "mainContentOnly": False}, False),
        ({"type": "html", "mainContentOnly": True}, True),
        ({"type": "markdown"}, True),
        ({"type": "markdown", "mainContentOnly": True}, True),
        ({"type": "markdown", "mainContentOnly": False}, False),
    ],
    ids=str,
)
def test_the_main_content_is_told_from_the_rest(camera: Camera, spec: dict[str, Any], is_main: bool) -> None:  # noqa: FBT001
    found = made(camera, "/article.html", spec)
    assert "sounds hollow" in found
    assert ("Imprint of the site" not in found) == is_main


def test_markdown_keeps_what_gives_a_text_its_shape(camera: Camera, site: Site) -> None:
    output = camera.outputs("/article.html", {"type": "markdown"})["markdown"]
    assert output["contentType"].startswith("text/markdown")
    lines = output["data"].splitlines()
    assert "# How bread is made" in lines
    assert "## What to buy" in lines
    assert any(line.startswith(("- Twenty", "* Twenty")) for line in lines)
    assert any(line.replace(" ", "") == "|Flour|2.10|" for line in lines)
    assert f"[fermentation]({site.url('/fermentation')})" in output["data"]
    assert "**flour**" in output["data"]
    assert "oven --heat 250" in output["data"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"selector": "h1"}, "How bread is made"),
        ({"selector": "h1", "type": "text"}, "How bread is made"),
        ({"selector": "p strong", "type": "html"}, "flour"),
        ({"selector": "html", "attribute": "lang"}, "en"),
        ({"selector": "html", "type": "attribute", "attribute": "lang"}, "en"),
        ({"selector": "h2"}, "What to buy"),
        ({"selector": "h2", "multiple": False}, "What to buy"),
        ({"selector": "h2", "multiple": True}, ["What to buy", "What it costs"]),
        ({"selector": "h6"}, None),
        ({"selector": "h6", "multiple": True}, []),
    ],
    ids=str,
)
def test_values_are_taken_out_of_a_page(camera: Camera, field: dict[str, Any], value: Any) -> None:
    assert made(camera, "/article.html", {"type": "json", "schema": {"name": field}}) == {"name": value}


def test_links_that_are_taken_out_of_a_page_are_whole(camera: Camera, site: Site) -> None:
    spec = {"type": "json", "schema": {"links": {"selector": "nav a", "attribute": "href", "multiple": True}}}
    assert made(camera, "/article.html", spec) == {"links": [site.url("/"), site.url("/imprint")]}


def test_inner_html_has_its_tags(camera: Camera) -> None:
    spec = {"type": "json", "schema": {"first": {"selector": "p", "type": "html"}}}
    assert "<strong>flour</strong>" in made(camera, "/article.html", spec)["first"]


# --- several ------------------------------------------------------------------------------------


def test_outputs_are_called_by_their_ids_or_their_types(camera: Camera) -> None:
    schema = {"title": {"selector": "h1"}}
    kinds = ["screenshot", "pdf", "html", "markdown", "json"]
    unnamed: list[dict[str, Any]] = [{"type": kind} | ({"schema": schema} if kind == "json" else {}) for kind in kinds]
    assert list(camera.outputs("/article.html", *unnamed)) == kinds
    named = [spec | {"id": f"my-{spec['type']}"} for spec in unnamed]
    assert list(camera.outputs("/article.html", *named)) == [f"my-{kind}" for kind in kinds]


def test_repeated_types_are_numbered(camera: Camera) -> None:
    found = camera.outputs("/green.html", *[{"type": "screenshot"}] * 3)
    assert list(found) == ["screenshot", "screenshot-2", "screenshot-3"]


def test_all_outputs_come_from_one_load(camera: Camera, site: Site) -> None:
    site.forget()
    specs: list[dict[str, Any]] = [
        {"type": "screenshot", "fullPage": True, "id": "all"},
        {"type": "pdf"},
        {"type": "screenshot"},
        {"type": "html"},
    ]
    found = camera.outputs("/tall.html", *specs, scrollInterval=50)
    assert [request.path for request in site.requests].count("/tall.html") == 1
    assert picture(found["all"]["data"]).height == 3000
    window = picture(found["screenshot"]["data"])
    assert (window.height, bands(window, 200)[0][1]) == (300, 300)  # where the page was, not where scrolling left it


def test_an_answer_of_several_is_as_the_contract_says(camera: Camera, site: Site) -> None:
    answer = good(camera.ask("/green.html", outputs=[{"type": "screenshot"}, {"type": "html"}])).json()
    assert set(answer) >= {"url", "renderTimeMs", "outputs"}
    assert (answer["url"], isinstance(answer["renderTimeMs"], int)) == (site.url("/green.html"), True)
    assert answer["outputs"]["screenshot"]["encoding"] == "base64"
    assert answer["outputs"]["html"]["encoding"] == "utf-8"


@pytest.mark.parametrize(
    ("spec", "is_there"),
    [
        ({"type": "html"}, False),
        ({"type": "markdown", "mainContentOnly": False}, False),
        ({"type": "html", "clean": False}, True),
    ],
    ids=str,
)
def test_what_is_hidden_is_in_the_raw_source_alone(camera: Camera, spec: dict[str, Any], is_there: bool) -> None:  # noqa: FBT001
    output = camera.outputs("/article.html", spec, hideSelectors=["pre"])[spec["type"]]
    assert ("--heat 250" in output["data"]) == is_there
