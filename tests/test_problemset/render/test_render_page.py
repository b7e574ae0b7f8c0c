"""Mathematics on the web page: what browsers would set badly is prepared for them."""

import re

import pytest

from problemset.render.formats import pandoc
from problemset.render.source.document import read_document
from problemset.render.source.look import STYLE
from problemset.render.source.settings import read_settings


@pytest.fixture
def page(tmp_path):
    def of(markdown):
        path = tmp_path / "doc.qmd"
        path.write_text(f"---\ntitle: T\n---\n\n{markdown}\n", encoding="utf-8")
        document = read_document(path)
        return pandoc.to_html(document, markdown, read_settings(document, "html"), tmp_path)

    return of


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"q \log \frac{q}{p}", r"q \,\log\,\frac{q}{p}"),
        (r"\frac{1}{2}\log\pi", r"\frac{1}{2}\,\log\,\pi"),
        (r"f(x)\log x", r"f(x)\,\log\,x"),
        (r"2\log 2 - \exp y", r"2\,\log\,2 - \exp\,y"),
        (r"x = \log p", r"x = \log\,p"),
        (r"-\log r", r"-\log\,r"),
        (r"\log(q/p)", r"\log (q/p)"),
        (r"\int \log \bigl(x\bigr)", r"\int \log \bigl(x\bigr)"),
        (r"\begin{aligned}\log x\end{aligned}", r"\begin{aligned}\log\,x\end{aligned}"),
        (r"\log", r"\log"),
        (r"\min_k x", r"\min _k x"),
        ("L'(q) = f''(t)", "L\u2032(q) = f\u2033(t)"),
        ("g'''", "g\u2034"),
        (r"\text{it's}", r"\text{it's}"),
        (r"x + y", r"x + y"),
    ],
)
def test_functions_have_thin_spaces_and_primes_are_no_exponents(tex, expected, page):
    found = re.search(
        r'<annotation encoding="application/x-tex">(.*?)</annotation>',
        page(f"Is ${tex}$ so?"),
        re.DOTALL,
    )
    assert found is not None
    assert found[1].strip().replace("&#39;", "'") == expected


def test_what_stands_beside_a_formula_stays_with_it(page):
    text = page("Let $x$, or $y$ (not $z$), be *$u$*; the $v$-th ($w$ and $t$).")
    kept = re.findall(r'<span class="nobr">(.*?)<math.*?</math>(.*?)</span>', text, re.DOTALL)
    assert kept == [("", ","), ("", "),"), ("", "-th"), ("(", ""), ("", ").")]


def test_a_displayed_formula_is_left_alone(page):
    assert 'class="nobr"' not in page("$$x$$, and")


def test_the_page_brings_its_font_for_mathematics(page):
    text = page("$x$")
    assert re.search(r"@font-face \{[^}]*url\(.?data:font/woff2;base64,d09GMg", text)
    fonts = STYLE / "fonts"
    assert "SIL OPEN FONT LICENSE" in (fonts / "OFL.txt").read_text("utf-8")
