"""A text from outside means itself: nothing of it is Markdown, HTML or a formula."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.app.markup import JOINER, is_harmless, plain
from studio.quoting import link, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[Click](https://e.example/x)", f"\\[Click\\](https:{JOINER}//e.example/x)"),
        ("![a](x)", "!\\[a\\](x)"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("$a$ `b` *c* ~d~ __e__ f_g", "\\$a\\$ \\`b\\` \\*c\\* \\~d\\~ \\_\\_e\\_\\_ f_g"),
        ("# a\n\n- b", "\\# a - b"),
        ("1. a", "1\\. a"),
        ("12) a", "12\\) a"),
        (":red[a] :smile: b", f":{JOINER}red\\[a\\] :{JOINER}smile: b"),
        (":material/home: a", f":{JOINER}material/home: a"),
        ("www.e.example a@b.c", f"www{JOINER}.e.example a@{JOINER}b.c"),
        ("&lt; R&D AT&T;", "\\&lt; R\\&D AT\\&T;"),
        ("a\x00\u202eb", "a\\\\x00\\\\u202eb"),
        ("depth=600 is outside 1 to 48; the nearest: 48", None),
        ("stages.0.num_heads: ViT-B/16, 3.5 M (+2 %)", None),
    ],
)  # fmt: skip
def test_a_text_is_written_so_that_it_means_itself(text: str, shown: str | None) -> None:
    assert plain(text) == (text if shown is None else shown)


@given(st.text())
def test_a_plain_text_reads_as_the_text_does(text: str) -> None:
    """What is added are backslashes before marks, and joiners that nobody sees."""
    read = re.sub(r"\\([!-/:-@[-`{-~])", r"\1", plain(text)).replace(JOINER, "")
    assert read == one_line(text).replace(JOINER, "")
    assert "\n" not in plain(text)


@pytest.mark.parametrize(
    ("body", "harmless"),
    [
        ('<div class="a" title="b &lt;"><b>1</b><br></div>', True),
        ("<style>.a { color: light-dark(#fff, #000); }</style><p>2 &gt; 1</p>", True),
        ('<i style="width:3%"></i>', True),
        ("<img src=x>", False),
        ('<a href="https://e.example">x</a>', False),
        ("<script>alert(1)</script>", False),
        ('<div onclick="x">', False),
        ('<b class="a" onmouseover=x>', False),
        ('<i style="background: url(https://e.example/p.png)"></i>', False),
        ("<style>@import 'https://e.example/p.css';</style>", False),
        ("<style>a{}</style><!-- x --><svg/onload=x>", False),
        ('<p title="a"b">', False),
        ("1 < 2", False),
    ],
)
def test_html_with_anything_but_the_tags_of_the_page_is_shown_as_a_text(
    body: str, harmless: bool
) -> None:
    assert is_harmless(body) == harmless


def test_only_an_address_of_ours_is_linked() -> None:
    ours = ("https://e.example/a",)
    assert is_harmless(link("a < b", ours[0]), ours)
    assert not is_harmless(link("a", "https://e.example/b"), ours)
    assert not is_harmless(link("a", ours[0]))
    assert not is_harmless("</a>", ours)
