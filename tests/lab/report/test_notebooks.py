import html
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from schedlab.lab.report import notebooks
from schedlab.lab.report.pages import as_yaml, notebook_page
from schedlab.lab.report.results import Figure, Stage
from schedlab.lab.report.systems import SYSTEMS

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)

HOSTILE = (
    "<script>alert(1)</script><meta http-equiv='refresh' content='0;url=https://example.org'>"
    "<iframe src='https://example.org'></iframe><a href='javascript:alert(1)'>go</a>"
    "<form action='https://example.org'><input name='q'></form>"
)


@pytest.fixture
def executed():
    seen = {"image/png": PIXEL, "text/plain": "<Figure 640x400>"}
    picture = new_output("display_data", seen, metadata={"image/png": {"figure": "tail"}})
    script = new_output("display_data", {"application/javascript": "alert(1)", "text/plain": "js"})
    loose = new_output("display_data", {"image/png": PIXEL})
    table = new_output(
        "display_data",
        {"text/html": f"<table onclick='x'><tr><td>1 &lt; 2</td></tr></table>{HOSTILE}"},
    )
    cells = [
        new_markdown_cell("# Load and *latency*\n\nFirst <b>paragraph</b>, [next](02-x.ipynb)."),
        new_code_cell(
            "rates = [1.0, -2.5]\nmixed = ['a', {'use': 'b', 'options': {'k': None}}]",
            metadata={"tags": ["injected-parameters"]},
        ),
        new_markdown_cell("![a plot](plot.png) and [out](https://arxiv.org)"),
        new_code_cell("draw(o, name)", outputs=[picture]),
        new_code_cell("evaluate(CLAIMS)", outputs=[new_output("stream", text="serving/one")]),
        new_code_cell("run()", outputs=[script, table, loose]),
        new_code_cell("save_metrics(o, findings, two=claims['two'])"),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = str(number)
    return new_notebook(cells=cells)


def test_opening_is_title_and_first_paragraph_without_raw_html(executed):
    title, summary = notebooks.opening(executed, "fallback")
    assert title == "Load and latency"
    assert summary == "<p>First &lt;b&gt;paragraph&lt;/b&gt;, next.</p>\n"


def test_opening_of_a_notebook_without_words_falls_back():
    assert notebooks.opening(new_notebook(), "fallback") == ("fallback", "")


def test_parameters_are_those_that_were_injected(executed):
    given = notebooks.parameters_of(executed)
    assert given["rates"] == [1.0, -2.5]
    assert as_yaml(given["mixed"]) == "- a\n- {use: b, options: {k: null}}"


def page_of(notebook, title="Load", figures=()):
    stage = Stage(
        "serving", "load", Path(), notebook, title, "", {}, tuple(figures), findings=(), numbers={}
    )
    return notebook_page(stage, SYSTEMS[2])


TAIL = Figure("tail", "tail latency <s>", "caption", cell=4)


def test_cells_are_found_by_figure_by_claim_and_by_printed_claim(executed):
    assert notebooks.cell_of_figure(executed, "tail") == 4
    assert notebooks.cell_of_figure(executed, "tai") is None
    assert notebooks.cell_of_claim(executed, "serving/one") == 5
    assert notebooks.cell_of_claim(executed, "serving/two") == 7
    assert notebooks.cell_of_claim(executed, "serving/three") == 7


def test_a_figure_that_is_saved_but_not_shown_is_found_where_it_is_saved():
    cells = [new_code_cell("names = ['tail']"), new_code_cell("save_figure(f, o, 'tail', alt=a)")]
    assert notebooks.cell_of_figure(new_notebook(cells=cells), "tail") == 2


def test_page_shows_the_whole_notebook_and_addresses_every_cell(executed):
    page = page_of(executed, figures=[TAIL])
    assert page.startswith("<!doctype html>")
    assert all(f'id="cell-{n}"' in page for n in range(1, 8))
    assert "&lt;Figure 640x400&gt;" not in page
    assert "02-x.ipynb" not in page
    assert "plot.png" not in page
    assert 'href="https://arxiv.org"' in page
    assert page.count("<h1") == 1


def test_a_saved_figure_is_shown_as_its_file_and_any_other_image_as_it_is(executed):
    page = page_of(executed, figures=[TAIL])
    assert '<img alt="tail latency &lt;s&gt;" src="load/tail.svg"/>' in page
    assert page.count(f"base64,{PIXEL}") == 1
    assert 'alt="Figure drawn by cell 6"' in page
    assert page_of(executed).count(f"base64,{PIXEL}") == 2


def test_page_runs_loads_and_sends_nothing_of_an_output(executed):
    page = page_of(executed)
    for tag in ("script", "meta http-equiv='refresh", "iframe", "form", "input"):
        assert f"<{tag}" not in page
        assert f"&lt;{tag.split()[0]}" in page
    assert "onclick" not in page
    assert "javascript:" not in page
    assert "<td>1 &lt; 2</td>" in page


def test_page_of_a_notebook_without_heading_gets_its_title():
    bare = new_notebook(cells=[new_code_cell("1", id="0")])
    assert "<h1>a &lt;b&gt; title</h1>" in page_of(bare, "a <b> title")


def test_page_leaves_the_notebook_as_it_was_and_repeats_its_bytes(executed):
    before = nbformat.writes(executed)
    pages = [page_of(executed, figures=[TAIL]) for _ in range(2)]
    assert pages[0] == pages[1]
    assert nbformat.writes(executed) == before


def test_code_keeps_its_words_and_the_marks_that_have_a_colour(executed):
    css = (notebooks.TEMPLATES / "report.css").read_text()
    coloured = set(re.findall(r"\.(\w+)", " ".join(re.findall(r"\.highlight :is\((.*?)\)", css))))
    code = "def double(x):  # twice\n    return 2 * x if x is not None else 'none'"
    page = page_of(new_notebook(cells=[new_code_cell(code, id="0")]))
    shown = page.partition('<div class="highlight')[2].partition("</pre>")[0]
    assert html.unescape(re.sub("<[^>]*>", "", shown.partition(">")[2])).strip() == code
    assert set(re.findall(r'<span class="(\w+)"', shown)) == {"k", "c1", "mi", "ow", "kc", "s1"}
    assert set(notebooks.COLOURED.split("|")) == coloured
