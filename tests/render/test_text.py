"""Pages as text: what stays, what goes, and what a hostile page can do to it."""

import re
from typing import Any

import pytest

from allscreenshots_box.errors import InvalidRequest, PageTooLarge
from allscreenshots_box.render.outputs import html_tree
from allscreenshots_box.render.outputs.text import LARGEST_SOURCE, extracted, html, markdown
from allscreenshots_box.render.shot import Field

pytestmark = pytest.mark.long

URL = "https://example.com/dir/page"
SENTENCE = "The river rose by two metres in the night, and by the morning the town was under water. "
HEADING = "<h1>The river</h1>"
STORY = f"{HEADING}<p>{SENTENCE * 2}</p><h2>After</h2><p>{SENTENCE * 3}</p><ul><li>Boil water</li></ul>"
NAV = "<header><nav><ul><li><a href=/a>World</a></li><li><a href=/b>Sport</a></li></ul></nav></header>"
COOKIES = (
    f"<div class='cookie-consent'><p>We use cookies to make this better. {SENTENCE}</p><button>Accept</button></div>"
)
ASIDE = (
    "<aside><h3>Most read</h3><a href=/1>Ten ways to cook rice</a><p>Sign up for our newsletter right now</p></aside>"
)
FOOTER = "<footer><p>All rights reserved by the publisher.</p><a href=/i>Imprint</a></footer>"
MARGINS = ("World", "Sport", "cookies", "Accept", "Most read", "newsletter", "rights", "Imprint", "Comment")


def body(made: str) -> str:
    """Return what stands in the body of a document."""
    found = re.search(r"<body[^>]*>(.*)</body>", made, re.DOTALL)
    assert found, made
    return found[1].strip()


def cleaned(part: str) -> str:
    return body(html(f"<body>{part}</body>", URL, clean=True, main=False))


# --- html ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "left"),
    [
        ("<p>a<script>x()</script>b</p>", "<p>ab</p>"),
        ("<style>p{}</style><p style='color:red'>a</p>", "<p>a</p>"),
        ("a<noscript><img src=/n></noscript><!-- c --><template><b>t</b></template>b", "ab"),
        ("<p onclick='x()' ONLOAD=y id=i>a</p>", '<p id="i">a</p>'),
        ("<a href='javascript:x()'>a</a>", "<a>a</a>"),
        ("<a href=' java\nscript:x()'>a</a>", "<a>a</a>"),
        ("<a href='&#1;javascript:x()'>a</a>", "<a>a</a>"),
        ("<form action='JavaScript:x()'></form>", "<form></form>"),
        ("<iframe srcdoc='<script>x()</script>'></iframe>", "<iframe></iframe>"),
        ("a<img src=/p.gif width=1 height=1>b", "ab"),
        ("a<img src=/p.gif style='width: 1px; height:1px'>b", "ab"),
        ("<img src=/i.gif width=1 height=20>", '<img src="https://example.com/i.gif" width="1" height="20">'),
        ("<a href=b?c#d>a</a>", '<a href="https://example.com/dir/b?c#d">a</a>'),
        ("<a href=//h.test/x>a</a>", '<a href="https://h.test/x">a</a>'),
        ("<a href=mailto:a@b.test>a</a>", '<a href="mailto:a@b.test">a</a>'),
        ("<a href='http://[bad'>a</a>", '<a href="http://[bad">a</a>'),
        (
            "<img srcset='a,b.png 1x, /c.png 2x'>",
            '<img srcset="https://example.com/dir/a,b.png 1x, https://example.com/c.png 2x">',
        ),
        ("<p style='color:red; display :none'>a</p>", '<p hidden="">a</p>'),
        (
            "<picture><source srcset=/a><source srcset=/b></picture>",
            '<picture><source srcset="https://example.com/a"><source srcset="https://example.com/b"></picture>',
        ),
        ("<p>a<wbr>b<wbr>c</p>", "<p>a<wbr>b<wbr>c</p>"),
        ("<p>&amp;lt; &lt;b&gt;</p>", "<p>&amp;lt; &lt;b&gt;</p>"),
    ],
)
def test_clean_html_keeps_only_what_can_be_read(part: str, left: str) -> None:
    assert cleaned(part) == left


def test_clean_html_is_a_whole_document_in_utf_8() -> None:
    source = (
        "<!DOCTYPE html><html lang=zh dir=ltr><head><meta charset=gbk><meta http-equiv=Content-Type content=x>"
        "<base href=/b/><title>河 &amp; T</title><link rel=stylesheet href=s><link rel=canonical href=c></head><body>x"
    )
    assert html(source, URL, clean=True, main=False) == (
        '<!DOCTYPE html>\n<html lang="zh" dir="ltr"><head><meta charset="utf-8"><title>河 &amp; T</title>'
        '<link rel="canonical" href="https://example.com/dir/c"></head><body>x</body></html>'
    )


def test_html_that_is_not_to_be_cleaned_stays_as_it_is() -> None:
    source = "<!DOCTYPE html><p onclick=x>a<script>y</script><!-- c -->"
    assert html(source, URL, clean=False, main=False) == source


@pytest.mark.parametrize(
    ("part", "left"),
    [
        ("<slot></slot>!", "<x-a>light <i>in</i> order!</x-a>"),
        ("<b><slot name=t>none</slot></b>", "<x-a><b>none</b></x-a>"),
        ("<slot name=none>kept</slot>, <slot></slot>", "<x-a>kept, light <i>in</i> order</x-a>"),
        ("shadow only", "<x-a>shadow only</x-a>"),
    ],
)
def test_shadow_trees_stand_where_the_page_shows_them(part: str, left: str) -> None:
    assert cleaned(f"<x-a><template shadowrootmode=open>{part}</template>light <i>in</i> order</x-a>") == left


def test_slots_take_what_is_named_for_them() -> None:
    inner = "<x-b><template shadowrootmode=open>[<slot></slot>]</template><slot name=t>none</slot></x-b>"
    part = f"<x-a><template shadowrootmode=open>{inner}<slot></slot></template><u slot=t>T</u>rest</x-a>"
    assert cleaned(part) == "<x-a><x-b>[<u>T</u>]</x-b>rest</x-a>"


# --- main content -------------------------------------------------------------------------------

PAGES = {
    "article in main": f"{COOKIES}{NAV}<main><article>{STORY}</article><div class=comments>Comment</div></main>{ASIDE}",
    "main alone": f"{COOKIES}{NAV}<main>{STORY}</main>{ASIDE}{FOOTER}",
    "role": f"{NAV}<div role=main>{STORY}</div>{FOOTER}",
    "article alone": f"{NAV}<div><article>{STORY}</article>{ASIDE}</div>{FOOTER}",
    "nothing but divs": f"<div class=top><a href=/>World</a></div><div><div><div>{STORY}</div></div>"
    f"<div><h3>Most read</h3><a href=/1>{SENTENCE}</a></div></div><div>All rights</div>",
    "heading outside": f"<header class=masthead>{HEADING}</header><main>{STORY.removeprefix(HEADING)}</main>{FOOTER}",
    "classes": f"<div class=siteNav><a href=/a>World</a></div><div class=has-sidebar>{STORY}</div>"
    "<div id=sidebar>Sport</div>",
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("clean", [True, False])
def test_a_story_comes_without_its_margins(page: str, *, clean: bool) -> None:
    made = html(f"<title>T</title><body><!-- c -->{page}", URL, clean=clean, main=True)
    text = markdown(f"<title>T</title><body>{page}", URL, main=True)
    assert text.startswith("# The river\n\nThe river rose")
    assert text.endswith("- Boil water\n")
    assert "<title>T</title>" in made
    assert [word for word in MARGINS if word in text + body(made)] == []


@pytest.mark.parametrize(
    ("page", "left"),
    [
        ("<div class=tile>CPU</div><div class=tile>17 %</div>", "CPU\n\n17 %\n"),
        ("<nav><a href=/a>World</a></nav>", "[World](https://example.com/a)\n"),
        ("<div class=menu><p>Soup 4.00</p><p>Bread 1.00</p></div>", "Soup 4.00\n\nBread 1.00\n"),
        ("<main></main><div>Outside</div>", "Outside\n"),
        ("<main><button>Only a button</button></main>", "Only a button\n"),
        ("<svg><text>Drawn</text></svg>", "Drawn\n"),
        ("<p hidden>Hidden</p>", "Hidden\n"),
        ("", "\n"),
    ],
)
def test_a_page_without_main_content_is_not_emptied(page: str, left: str) -> None:
    assert markdown(f"<body>{page}", URL, main=True) == left


def test_paragraphs_that_are_to_be_paid_for_are_main_content() -> None:
    paragraphs = "".join(f"<p class=paywall>{number}. {SENTENCE}</p>" for number in range(9))
    made = markdown(f"{NAV}<main>{HEADING}<p>{SENTENCE}</p>{paragraphs}</main>{FOOTER}", URL, main=True)
    assert made.count(SENTENCE.strip()) == 10


def test_every_card_of_a_front_page_is_main_content() -> None:
    cards = "".join(f"<article><h3><a href=/{i}>Story {i}</a></h3><p>{SENTENCE}</p></article>" for i in range(9))
    made = markdown(f"{NAV}<main><section>{cards}</section></main>{ASIDE}{FOOTER}", URL, main=True)
    assert re.findall(r"### \[Story (\d)\]", made) == list("012345678")
    assert [word for word in MARGINS if word in made] == []


# --- markdown -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "left"),
    [
        ("<h2>A <a href=b>link</a></h2>", "## A [link](https://example.com/dir/b)"),
        ("<h2>A<a class=headerlink href=#a>¶</a></h2>", "## A"),
        ("<a href=/b><h3>A</h3><p>b</p></a>", "### [A](https://example.com/b)\n\nb"),
        ("<a href=javascript:x>A</a>", "A"),
        ("<img src=i.png alt=A>", "![A](https://example.com/dir/i.png)"),
        ("<img src='data:image/png;base64,AAAA' alt=A>", "A"),
        ("<ul><li>a<ol><li>b<ul><li>c</ul></ol></ul>", "- a\n  1. b\n     - c"),
        (
            "<table><thead><tr><th>a<th>b<tbody><tr><td>1|2<td><a href=/x>x</a></table>",
            "| a | b |\n| --- | --- |\n| 1\\|2 | [x](https://example.com/x) |",
        ),
        ("<pre><code class='hljs language-python'>a = 1\n  b</code></pre>", "```python\na = 1\n  b\n```"),
        ("<div class='highlight-c notranslate'><div><pre>int <b>a</b>;</pre></div></div>", "```c\nint a;\n```"),
        ("<pre lang=x><code data-lang=Rust>fn</code></pre>", "```rust\nfn\n```"),
        ("<pre>a\n```\nb</pre>", "````\na\n```\nb\n````"),
        ("<pre><code class='language-x`y&#10;z'>a</code></pre>", "```x\na\n```"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"),
        ("<p>1. a</p>", "1\\. a"),
        ("<p>河<b>水</b>在</p>", "河**水**在"),
        ("<p dir=rtl>ارتفع <em>النهر</em></p>", "ارتفع *النهر*"),
        ("<p hidden>a</p><p style='display:none'>b</p><p>c</p>", "c"),
        ("<script>a</script><style>b</style><svg><text>c</text></svg><p>d</p>", "d"),
        ("<nav><a href=/n>n</a></nav><footer>f</footer>", "[n](https://example.com/n)\n\nf"),
    ],
)
def test_markdown_says_what_the_page_says(part: str, left: str) -> None:
    assert markdown(f"<body>{part}</body>", URL, main=False) == left + "\n"


# --- hostile pages ------------------------------------------------------------------------------

MANY = 100_000
HOSTILE = {
    "divs in divs": "<div>" * MANY + "deep",
    "lists in lists": "<ul><li>" * MANY + "deep",
    "lists in lists, not too deep to parse": "<ul><li>" * 300 + "<pre>" + "\n" * MANY + "deep",
    "tables in tables": "<table><tr><td>" * MANY + "deep",
    "quotes in quotes": "<blockquote>" * 600 + "<p>deep</p>" * 1000,
    "unclosed formatting": "<p><b><i>" * 5000 + "deep",
    "attributes": "<p " + " ".join(f"a{i}='v v'" for i in range(MANY)) + ">deep",
    "word breaks": "<p>" + "a<wbr>" * MANY + "deep",
    "closing tags": "</p></x>" * MANY + "deep",
    "open angles": "<" * MANY + " deep",
    "a long row": "<table><tr>" + "<td>x" * 2000 + "<tr><td>y" * 2000 + "</table>deep",
    "wide cells": "<table>" + "<tr><td colspan=1000 rowspan=65534>x" * 2000 + "</table>deep",
    "shadows in shadows": "<div><template shadowrootmode=open><slot></slot>" * 500 + "deep",
    "sources": "<picture>" + "<source srcset=a>" * 5000 + "</picture>deep",
    "controls": "\x00\x01\x7f\ufffe&#0;&#1;&#xd800;\udc00\ud800" * 100 + "<a href='\x01&#2;x'>deep</a>",
    "controls where text moves": "<a href=/x><h2>&#1;a\x0c</h2></a><x-a><template shadowrootmode=open><slot></slot>"
    "</template>&#2;deep&#xffff;</x-a>" + "<i>" * 600 + "&#3;",
    "a srcset of controls": "<img srcset='a&#1; 1&#2;x'>deep",
    "a heading around everything": f"<h1>Title<div><main><p>{SENTENCE} deep",
    "entities": "<!DOCTYPE html [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><p>&b;&b; deep",
    "odd names": "<p [a]=1 @b=2 :c=3 d:e=4 <f>deep</p><x:y>z</x:y>",
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_page_keeps_its_text_without_growing(source: str) -> None:
    made = [
        markdown(source, URL, main=False),
        markdown(source, URL, main=True),
        html(source, URL, clean=True, main=True),
        html(source, URL, clean=False, main=True),
    ]
    assert ["deep" in each for each in made] == [True] * 4
    assert max(len(each.encode()) for each in made) < 40 * len(source) + 1000


@pytest.mark.parametrize(
    "source",
    [
        "x" * (LARGEST_SOURCE + 1),
        "<p>x" * (html_tree.MOST_ELEMENTS + 1),
        f"<base href={URL}>" + f"<a href=y{'z' * 40}>" * 60_000,
    ],
    ids=["characters", "elements", "links"],
)
def test_a_page_over_a_bound_is_too_large(source: str) -> None:
    with pytest.raises(PageTooLarge):
        html(source, "https://example.com/" + "a" * 2000 + "/", clean=True, main=False)


def test_lone_surrogates_become_replacement_characters() -> None:
    assert html("a\ud800b\ud83d\ude00", URL, clean=False, main=False) == "a�b😀"


@pytest.mark.parametrize("url", ["javascript:x", "data:text/html,x", "about:blank", "https://e.test/" + "a" * 9000, ""])
def test_a_base_that_is_no_web_address_changes_no_link(url: str) -> None:
    assert '<a href="b">' in html("<a href=b>a</a>", url, clean=True, main=False)


# --- extract ------------------------------------------------------------------------------------

ONE, MANY_OF = Field(name="one", selector="a"), Field(name="many", selector="a", multiple=True)


@pytest.mark.parametrize(
    ("values", "one", "many"),
    [
        ({"values": ["a", ["b", None]]}, "a", ["b", None]),
        ({"values": [None, []]}, None, []),
        ({"values": ["a\ud800", ["\udc00"]]}, "a�", ["�"]),
        ({"values": [["a"], "b"]}, None, []),
        ({"values": [{"a": 1}, [1, {}, ["x"]]]}, None, [None, None, None]),
        ({"values": ["a"]}, "a", []),
        ({"values": ["a", ["b"], "c"]}, "a", ["b"]),
        ({"values": "ab"}, None, []),
        (None, None, []),
        ([], None, []),
        ({"values": ["x" * 100_001, ["y"] * 1_001]}, "x" * 100_000, ["y"] * 1_000),
    ],
)
def test_extracted_values_have_the_shape_that_was_asked_for(values: Any, one: Any, many: Any) -> None:
    assert extracted(values, (ONE, MANY_OF)) == {"one": one, "many": many}


@pytest.mark.parametrize("values", [{"tooLarge": True}, {"values": [None, ["x" * 100_000] * 53]}])
def test_extracted_values_over_the_bound_are_too_large(values: Any) -> None:
    with pytest.raises(PageTooLarge):
        extracted(values, (ONE, MANY_OF))


def test_a_selector_that_is_not_css_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        extracted({"invalid": "price"}, (ONE,))
    assert list(caught.value.problems) == ["schema.price.selector"]
