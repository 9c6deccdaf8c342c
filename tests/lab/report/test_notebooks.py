import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from schedlab.lab.report import notebooks
from schedlab.lab.report.pages import as_yaml, notebook_page
from schedlab.lab.report.systems import SYSTEMS

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)


@pytest.fixture
def executed():
    picture = new_output("display_data", {"image/png": PIXEL, "text/plain": "<Figure 640x400>"})
    script = new_output("display_data", {"application/javascript": "alert(1)", "text/plain": "js"})
    cells = [
        new_markdown_cell("# Load and *latency*\n\nFirst <b>paragraph</b>, [next](02-x.ipynb)."),
        new_code_cell(
            "rates = [1.0, -2.5]\nmixed = ['a', {'use': 'b', 'options': {'k': None}}]",
            metadata={"tags": ["injected-parameters"]},
        ),
        new_markdown_cell("![a plot](plot.png) and [out](https://arxiv.org)"),
        new_code_cell("save_figure(f, o, 'tail')", outputs=[picture]),
        new_code_cell("evaluate(CLAIMS)", outputs=[new_output("stream", text="serving/one")]),
        new_code_cell("run()", outputs=[script]),
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


def test_cells_are_found_by_figure_by_claim_and_by_printed_claim(executed):
    assert notebooks.cell_of_figure(executed, "tail") == 4
    assert notebooks.cell_of_figure(executed, "tai") is None
    assert notebooks.cell_of_claim(executed, "serving/one") == 5
    assert notebooks.cell_of_claim(executed, "serving/two") == 7
    assert notebooks.cell_of_claim(executed, "serving/three") == 7


def test_page_shows_the_whole_notebook_and_addresses_every_cell(executed):
    page = notebook_page(executed, "Load", SYSTEMS[0], {4: "tail latency <s>"})
    assert page.startswith("<!doctype html>")
    assert all(f'id="cell-{n}"' in page for n in range(1, 8))
    assert 'alt="tail latency &lt;s&gt;"' in page
    assert "&lt;Figure 640x400&gt;" not in page
    assert "02-x.ipynb" not in page
    assert "plot.png" not in page
    assert 'href="https://arxiv.org"' in page
    assert page.count("<h1") == 1


def test_page_runs_no_script_of_an_output(executed):
    page = notebook_page(executed, "Load", SYSTEMS[0], {})
    assert "alert(1)" not in page
    assert "<script" not in page


def test_page_of_a_notebook_without_heading_gets_its_title():
    bare = new_notebook(cells=[new_code_cell("1", id="0")])
    page = notebook_page(bare, "a <b> title", SYSTEMS[0], {})
    assert "<h1>a &lt;b&gt; title</h1>" in page


def test_page_leaves_the_notebook_as_it_was_and_repeats_its_bytes(executed):
    before = nbformat.writes(executed)
    pages = [notebook_page(executed, "t", SYSTEMS[0], {}) for _ in range(2)]
    assert pages[0] == pages[1]
    assert nbformat.writes(executed) == before
