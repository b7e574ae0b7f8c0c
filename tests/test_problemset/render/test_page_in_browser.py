"""The web page in a real browser: what helps to read it works, with eyes, keys and a telephone."""

import browsing
import pytest

from problemset.render.formats import pandoc
from problemset.render.source.document import read_document
from problemset.render.source.settings import read_settings

browsing.chromium()
WORDS = "Some words that fill the lines of a paragraph. " * 40
LONG_SUM = " + ".join(rf"\frac{{a_{n}}}{{b_{n}}}" for n in range(20))
WIDE_CELLS = " | ".join(f"a wide column {n}" for n in range(9))
TEXT = rf"""---
title: T
toc: true
toc-depth: 2
number-sections: true
bibliography: references.bib
---

# First {{#sec-first}}

See @fig-square, @eq-long, @tbl-wide, @thm-one and [@who2026].[^note] {WORDS}

[^note]: Words of the note.

$$
L = {LONG_SUM}
$$ {{#eq-long}}

## An item {{.unnumbered}}

![A square.](square.svg){{#fig-square fig-alt="A square"}}

{WORDS}

```python
answer = 42  # {"long " * 60}
```

# Second

{WORDS}

| $q$ | {WIDE_CELLS} |
|---|{"---:|" * 9}
| one | {WIDE_CELLS} |

: A table. {{#tbl-wide}}

::: {{#thm-one}}
Words of the theorem.
:::

{WORDS}
"""
BOOK = "@book{who2026, author={Who, Ann}, title={A book}, year={2026}, publisher={P}}"
SQUARE = '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="200"><rect width="90" height="90"/></svg>'  # noqa: E501


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    for name, text in (("d.qmd", TEXT), ("references.bib", BOOK), ("square.svg", SQUARE)):
        (folder / name).write_text(text, encoding="utf-8")
    document = read_document(folder / "d.qmd")
    settings = read_settings(document, "html")
    page = pandoc.to_html(document, document.chunks[0].text, settings, folder)
    (folder / "d.html").write_text(page, encoding="utf-8")
    return folder / "d.html"


@pytest.fixture(scope="module")
def browser():
    with browsing.running() as browser:
        yield browser


@pytest.fixture
def wide(browser, file):
    with browsing.opened(browser, file, **browsing.WIDE) as opened:
        yield opened.page


@pytest.fixture
def phone(browser, file):
    with browsing.opened(browser, file, **browsing.PHONE) as opened:
        yield opened.page


@pytest.mark.parametrize("mode", browsing.MODES)
def test_nobody_is_shut_out_and_nothing_is_loaded(mode, browser, file):
    with browsing.opened(browser, file, **browsing.MODES[mode]) as opened:
        assert (opened.violations(), opened.errors, opened.outside) == ([], [], [])


def test_a_page_with_faults_would_be_found_out(browser, tmp_path):
    fault = tmp_path / "fault.html"
    fault.write_text("<img src='http://localhost:9/x.png'><script>throw Error('!')</script>")
    with browsing.opened(browser, fault) as opened:
        assert any(one.startswith("image-alt x 1") for one in opened.violations())
        assert opened.outside == ["http://localhost:9/x.png"]
        assert "!" in opened.errors


def test_contents_go_down_to_the_items_and_follow_the_reader(wide):
    names = wide.locator("#TOC a").all_inner_texts()
    assert names == ["1 First", "An item", "2 Second", "References"]
    marked = wide.locator("#TOC a[aria-current]")
    for heading, name in (
        ("#an-item", "An item"),
        ("#sec-first", "1 First"),
        ("#refs", "References"),
    ):
        wide.locator(heading).evaluate("one => one.scrollIntoView({behavior: 'instant'})")
        wide.wait_for_timeout(100)
        assert marked.all_inner_texts() == [name]


def test_contents_are_folded_on_a_phone_until_they_are_asked_for(phone):
    entry = phone.locator("#TOC").get_by_role("link", name="An item")
    assert not entry.is_visible()
    phone.locator("#TOC summary").tap()
    entry.tap()
    assert not entry.is_visible()
    phone.wait_for_timeout(100)
    assert phone.locator("#TOC .here").inner_text() == "An item"
    top = phone.locator("#an-item").bounding_box()["y"]
    assert phone.locator("#TOC").bounding_box()["height"] <= top < 100, "it is below the bar"


def test_headings_have_links_and_code_a_button_that_copies_it(wide):
    wide.get_by_role("link", name="Link to: An item").click()
    assert wide.url.endswith("#an-item")
    wide.context.grant_permissions(["clipboard-read", "clipboard-write"])
    wide.get_by_role("button", name="Copy").click()
    wide.get_by_role("button", name="Copied").wait_for()
    copied = wide.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("answer = 42  # long long")


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("Figure 1", "Figure 1: A square."),
        ("Equation 1", "(1)"),
        ("Table 1", "a wide column 8"),
        ("Theorem 1", "Words of the theorem."),
        ("Who 2026", "A Book"),
        ("1", "Words of the note."),
    ],
)
def test_what_is_referred_to_is_shown_on_hover_and_on_focus(link, words, wide):
    tip, reference = wide.get_by_role("tooltip"), wide.get_by_role("link", name=link, exact=True)
    reference.hover()
    assert words in tip.inner_text().replace("\u00a0", " ")
    wide.mouse.move(5, 5)
    tip.wait_for(state="hidden")
    wide.keyboard.press("Tab")  # from here on the focus comes from the keyboard
    reference.focus()
    assert tip.is_visible()
    assert reference.get_attribute("aria-describedby") == "preview"
    wide.keyboard.press("Escape")
    assert not tip.is_visible()


def test_a_link_to_a_section_shows_nothing(wide):
    wide.keyboard.press("Tab")
    wide.locator("#TOC").get_by_role("link", name="1 First").focus()
    assert wide.get_by_role("tooltip").count() == 0


def test_a_figure_opens_large_on_a_phone_and_closes_again(phone):
    before = phone.locator("figure img").bounding_box()["width"]
    phone.get_by_role("button", name="Enlarge Figure 1").tap()
    large = phone.get_by_role("dialog", name="Figure 1").get_by_role("img", name="A square")
    assert large.bounding_box()["width"] > 1.9 * before
    phone.keyboard.press("Escape")
    assert not large.is_visible()
    phone.locator("figure img").tap()
    phone.get_by_role("button", name="Close").tap()
    assert not large.is_visible()


def test_nothing_is_cut_on_a_phone_without_a_sign(phone):
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    for what in ("math[display=block]", "div.float.table", "pre"):
        box = phone.locator(f"main {what}").first
        assert box.evaluate("one => [one.className.includes('more-right'), one.tabIndex]") == [
            True,
            0,
        ]
        box.evaluate("one => one.scrollTo({left: 1e6, behavior: 'instant'})")
        phone.wait_for_timeout(100)
        ends = box.evaluate("one => [...one.classList].filter(c => c.startsWith('more'))")
        assert ends == ["more-left"], what


def test_what_fits_has_no_sign(wide):
    assert (
        wide.locator("div.float.table").evaluate("one => one.scrollWidth <= one.clientWidth")
        is False
    )
    wide.set_viewport_size({"width": 1400, "height": 900})
    wide.locator("td").evaluate_all("cells => cells.slice(2).forEach(cell => cell.remove())")
    wide.locator("th").evaluate_all("cells => cells.slice(2).forEach(cell => cell.remove())")
    wide.set_viewport_size({"width": 1300, "height": 900})
    wide.wait_for_timeout(100)
    assert wide.locator("div.float.table").get_attribute("tabindex") is None


def test_dark_figures_keep_their_paper(browser, file):
    paper = "one => getComputedStyle(one).backgroundColor"
    for mode, page, figure in (
        ("light", "rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"),
        ("dark", "rgb(21, 24, 28)", "rgb(255, 255, 255)"),
    ):
        with browsing.opened(browser, file, **browsing.MODES[mode]) as opened:
            assert opened.page.locator("body").evaluate(paper) == page
            assert opened.page.locator("figure img").evaluate(paper) == figure


def test_paper_has_no_stubs_of_what_only_a_screen_can_do(wide):
    seen = "main, #TOC, .copy, .anchor, .enlarge"
    wide.emulate_media(media="print")
    shown = wide.locator(seen).evaluate_all(
        "all => all.filter(one => one.checkVisibility()).length"
    )
    assert shown == 1
    wide.emulate_media(media="screen")
    shown = wide.locator(seen).evaluate_all(
        "all => all.filter(one => one.checkVisibility()).length"
    )
    assert shown == 2 + 1 + 4 + 1


def test_without_a_script_the_page_is_whole(browser, file):
    with browsing.opened(browser, file, java_script_enabled=False, **browsing.PHONE) as opened:
        assert opened.page.locator("#TOC").get_by_role("link", name="An item").is_visible()
        assert opened.page.locator("button").count() == 0
        assert opened.page.locator("figure img").is_visible()
