"""What the report takes from an executed notebook: its opening, its parameters, its cells."""

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
from markupsafe import Markup

# Kinds of output that a page shows; scripts and widgets are not among them.
SHOWN = {"image/png", "image/jpeg", "text/html", "text/markdown", "text/latex", "text/plain"}

# Of a notebook's own HTML a page takes tables, prose and drawings; all else is shown as text.
# fmt: off
TAGS = {
    "a", "b", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd", "del",
    "details", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "small", "span", "strong", "style", "sub",
    "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
    "circle", "ellipse", "g", "line", "path", "polygon", "polyline", "rect", "svg", "text", "title",
}
# fmt: on
STYLES = ("background", "color", "max-width", "text-align", "width")
TEMPLATES = Path(__file__).parent / "templates"

# Links and images beside the notebook do not exist beside the page; their words stay.
_LINK = re.compile(r'<a\s[^>]*href="(?!https?:|mailto:|#)[^"]*"[^>]*>(.*?)</a>', re.S)
_IMAGE = re.compile(r'<img\s(?![^>]*src="data:)[^>]*?(?:alt="([^"]*)")?[^>]*>')

# Pygments marks every word of code; a page keeps the marks that report.css gives a colour.
COLOURED = "k|kn|kc|kd|ow|s|s1|s2|sa|sd|sb|c|c1|cm|mi|mf|mh"
_PLAIN = re.compile(rf'<span class="(?!(?:{COLOURED})")[a-z0-9]{{1,3}}">([^<>]*)</span>')


def opening(notebook: nbformat.NotebookNode, fallback: str) -> tuple[str, Markup]:
    """Return a notebook's title and its first paragraph as HTML.

    Parameters
    ----------
    notebook
        An executed notebook.
    fallback
        Title where the notebook has no first-level heading.
    """
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    title = re.search(r"^# +(.+)$", text, re.M)
    rest = text[title.end() :] if title else text
    blocks = (block.strip() for block in re.split(r"\n\s*\n", rest))
    first = next((block for block in blocks if block and not block.startswith("#")), "")
    return (_plain(title[1]) if title else fallback), markdown(first)


def _plain(text: str) -> str:
    return re.sub(r"[*_`]", "", text).strip()


def markdown(text: str) -> Markup:
    """Render Markdown whose raw HTML is shown as text, and whose local links are only words."""
    import mistune

    return Markup(_portable(str(mistune.create_markdown(escape=True)(text))))


def _portable(page: str) -> str:
    return _IMAGE.sub(lambda match: match[1] or "", _LINK.sub(r"\1", page))


def parameters_of(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """Return the parameters a notebook was run with, by name."""
    injected = (
        cell.source
        for cell in notebook.cells
        if "injected-parameters" in cell.metadata.get("tags", [])
    )
    assignments = (node for source in injected for node in ast.parse(source).body)
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in assignments
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def figure_of(output: nbformat.NotebookNode) -> str:
    """Return the name of the saved figure that an output shows, or nothing if it shows none."""
    return output.get("metadata", {}).get("image/png", {}).get("figure", "")


def cell_of_figure(notebook: nbformat.NotebookNode, name: str) -> int | None:
    """Return the number of the code cell that shows a figure or saves it, counted from 1."""
    saved = re.compile(rf"""save_figure\(.*["']{re.escape(name)}["']""", re.S)
    return _cell(notebook, lambda cell: name in map(figure_of, cell.outputs)) or _cell(
        notebook, lambda cell: saved.search(cell.source)
    )


def cell_of_claim(notebook: nbformat.NotebookNode, claim: str) -> int | None:
    """Return the number of the code cell that computed a claim, counted from 1.

    That is the first to name the claim, else the first to print its name, else the one that
    saves the metrics.
    """
    short = claim.partition("/")[2]
    named = re.compile(rf"""["']({re.escape(claim)}|{re.escape(short)})["']""")
    return (
        _cell(notebook, lambda cell: named.search(cell.source))
        or _cell(notebook, lambda cell: claim in str(cell.outputs))
        or _cell(notebook, lambda cell: "save_metrics(" in cell.source)
    )


def _cell(
    notebook: nbformat.NotebookNode, wanted: Callable[[nbformat.NotebookNode], object]
) -> int | None:
    numbered = enumerate(notebook.cells, start=1)
    return next((n for n, cell in numbered if cell.cell_type == "code" and wanted(cell)), None)


def _clean(page: str) -> str:
    """Return HTML with everything as text that could run, load or hide something."""
    from bleach import clean
    from bleach.css_sanitizer import CSSSanitizer

    css = CSSSanitizer(allowed_css_properties=STYLES)
    return clean(page, TAGS, lambda tag, name, value: not name.startswith("on"), css_sanitizer=css)


def body(notebook: nbformat.NotebookNode, figures: Mapping[str, tuple[str, str]]) -> Markup:
    """Render a notebook's cells as HTML, each in a section with the id ``cell-<n>``.

    Parameters
    ----------
    notebook
        An executed notebook.
    figures
        Address and alt text of each saved figure, by name: shown in place of the notebook's copy.
    """
    from nbconvert import HTMLExporter  # two seconds that only rendering pays

    exporter = HTMLExporter(
        extra_template_basedirs=[str(TEMPLATES)],
        template_name="cells",
        exclude_anchor_links=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        sanitize_html=True,
    )
    exporter.register_filter("clean_html", _clean)
    exporter.register_filter("portable", _portable)
    page, _ = exporter.from_notebook_node(_prepared(notebook, figures))
    return Markup(_PLAIN.sub(r"\1", page))


def _prepared(
    notebook: nbformat.NotebookNode, figures: Mapping[str, tuple[str, str]]
) -> nbformat.NotebookNode:
    """Return a copy whose images have alt texts and, where saved, lie in files of their own."""
    copy = nbformat.from_dict(notebook)
    for number, cell in enumerate(copy.cells, start=1):
        for output in cell.get("outputs", []):
            if "data" not in output:
                continue
            output["data"] = {kind: output.data[kind] for kind in SHOWN & set(output.data)}
            if image := output.data.get("image/png"):
                inside = (f"data:image/png;base64,{image}", f"Figure drawn by cell {number}")
                file, alt = figures.get(figure_of(output), inside)
                output["metadata"] = {"file": file, "alt": alt}
    return copy
