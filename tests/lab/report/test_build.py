import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise

import nbformat
import pytest

from schedlab.lab.report.__main__ import main
from schedlab.lab.report.build import build
from schedlab.lab.report.notebooks import TEMPLATES

HOSTILE = "</p><script>alert('x')</script><img src=x onerror=alert(1)> \" & '"
VOID = {"meta", "link", "img", "input", "br", "hr", "path", "circle", "rect", "use"}


class Page(HTMLParser):
    """Collects what a page refers to, offers as anchors, and how it is built up."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.links, self.ids, self.images, self.levels, self.open = [], [], [], [], []
        self.claims = {}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        assert not any(name.startswith("on") for name in given), f"{self.path}: {tag} {given}"
        if tag in ("a", "use"):
            self.links.append(given.get("href"))
        if tag == "tr" and "data-verdict" in given:
            self.claims[given["id"]] = {}
        if tag == "a" and "aria-label" in given and self.claims:
            words, _, name = given["aria-label"].rpartition(" ")
            self.claims.get(name, {})[words] = given["href"]
        if tag == "img":
            self.images.append(given)
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        self.ids += [given["id"]] if "id" in given else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, f"{self.path}: stray </{tag}> at {self.getpos()}"


@pytest.fixture(scope="module")
def pages(reports):
    return {path.resolve(): Page(path) for path in sorted(reports.rglob("*.html"))}


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def change_claim(checkout, **changes):
    path = checkout / "results" / "serving" / "load_fit.json"
    metrics = json.loads(path.read_text())
    metrics["claims"]["serving/slai-median-ttft"].update(changes)
    path.write_text(json.dumps(metrics))


def test_every_link_and_anchor_resolves(pages):
    for page in pages.values():
        for link in page.links:
            if link.startswith("https://"):
                continue
            address, _, anchor = link.partition("#")
            target = (page.path.parent / address).resolve() if address else page.path.resolve()
            assert target.is_file(), f"{page.path.name}: {link}"
            assert not anchor or anchor in pages[target].ids, f"{page.path.name}: {link}"


@pytest.mark.parametrize("name", ["index.html", "serving.html"])
def test_every_claim_links_to_its_figure_its_cell_and_its_parameters(pages, reports, name):
    claims = pages[(reports / name).resolve()].claims
    ledger = {row["id"]: row for row in json.loads((reports / "ledger.json").read_text())}
    assert len(claims) == {"index.html": 9, "serving.html": 8}[name]
    for claim, links in claims.items():
        stage = ledger[claim]["stage"].partition(".")[2]
        figure = ledger[claim]["figure"]
        words = "Figure for" if figure else "Figures around"
        assert set(links) == {words, "Notebook cell for", "Parameters for", "Link to claim"}
        assert links[words].endswith(f"#{stage}.{figure}" if figure else f"#{stage}")
        assert "#cell-" in links["Notebook cell for"]
        assert links["Parameters for"].endswith(f"#{stage}.parameters")


def test_parameters_are_shown_with_their_place_in_params_yaml(reports):
    text = (reports / "serving.html").read_text()
    section = text.partition('id="load_fit.parameters"')[2].partition("<h3")[0]
    assert "<code>serving.load_fit.all</code> and <code>serving.load_fit.laptop</code>" in section
    assert "<code>[0, 1, 2, 3]</code>" in section


def test_what_compares_the_systems_stands_on_the_first_page_when_it_exists(checkout):
    assert "What a scheduler knows" not in (build(checkout).parent / "index.html").read_text()
    for name in ("load_fit", "load_fit.json"):
        source, target = (checkout / "results" / s / name for s in ("serving", "information"))
        target.parent.mkdir(exist_ok=True)
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, target)
    (checkout / "results" / "information" / "load_fit.json").write_text('{"claims": {}, "n": 3}')
    folder = build(checkout).parent
    index = Page(folder / "index.html")
    sources = [image["src"] for image in index.images]
    assert sources == ["information/load_fit/ttft-against-load.svg"]
    assert "information.html" in index.links
    assert len(index.claims) == 9
    text = (folder / "information.html").read_text()
    assert 'id="claims"' not in text
    assert "arXiv" not in text
    assert "/7 " not in text


def test_pages_are_well_formed_with_unique_ids_and_headings_in_order(pages):
    for page in pages.values():
        assert page.open == []
        assert len(page.ids) == len(set(page.ids))
        assert page.levels[0] == 1
        assert page.levels.count(1) == 1
        assert all(later <= earlier + 1 for earlier, later in pairwise(page.levels))


def test_every_image_has_an_alt_text_and_lies_in_the_report(pages):
    images = [(page, image) for page in pages.values() for image in page.images]
    assert len(images) == 6
    for page, image in images:
        assert len(image["alt"]) > 20
        assert (page.path.parent / image["src"]).is_file()


def test_index_shows_all_seven_systems_and_every_claim(reports, pages):
    text = (reports / "index.html").read_text()
    assert text.count(">not built<") == 5
    rows = re.findall(r'data-verdict="([a-z ]+)"', text)
    assert sorted(set(rows)) == ["direction only", "not reproduced", "reproduced", "undecided"]
    assert len(rows) == 9
    assert text.count(">reconstruction<") == 2
    assert {"serving/slai-capacity", "estimation/silence-informs"} <= set(
        pages[reports / "index.html"].ids
    )


def test_index_stays_light_with_sixty_claims(reports):
    text = (reports / "index.html").read_text()
    rows = re.findall(r'<tr role="row" id=.*?</tr>', text, re.S)
    assert len(text.encode()) + (60 - len(rows)) * max(len(row.encode()) for row in rows) < 150_000


def test_system_page_has_story_figures_parameters_and_licences(reports):
    text = (reports / "serving.html").read_text()
    assert text.index("SLAI against Sarathi-Serve") < text.index("Capacity by bisection")
    assert "How long does a reply take to <em>start</em>" in text
    assert "Mean of 4 seeds, 95 % band." in text
    assert "- {use: &#39;mine:Mine&#39;, label: mine, options: {window: 512}}" in text
    assert "the legal status of the text is contested" in text
    assert "drawn from a fit" in text
    assert "plants" not in text
    assert "staging" not in text
    assert "4.88" in text


def test_catalogued_data_named_in_the_parameters_are_listed(checkout):
    path = checkout / "results" / "serving" / "load_fit" / "notebook.ipynb"
    path.write_text(path.read_text().replace("'slai-fit'", "'sharegpt4-8k-llama2'"))
    text = (build(checkout).parent / "serving.html").read_text()
    assert "SLAI paper&#39;s own request lengths" in text
    assert "6d6c296302a853e2669a674a96f269283e60c57e60363bd450588a1066919f9f" in text


def test_notebook_page_links_back_and_shows_the_figures_alt_text(reports):
    text = (reports / "serving" / "load_fit.html").read_text()
    assert 'href="../index.html"' in text
    assert "slai stays lowest" in text


def test_text_from_results_is_never_markup(checkout):
    words = ("sentence", "reason", "source", "holds_if", "unit", "scale", "decide_with")
    change_claim(checkout, **dict.fromkeys(words, HOSTILE))
    path = checkout / "results" / "serving" / "capacity.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {HOSTILE: HOSTILE}))
    path = checkout / "results" / "serving" / "capacity" / "notebook.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = f"# {HOSTILE}\n\n{HOSTILE}\n\n<img src=x onerror=alert(1)>"
    notebook.cells[2].source = f"schedulers = [{{'label': {HOSTILE!r}}}]\nscale = {HOSTILE!r}"
    nbformat.write(notebook, path)
    words = checkout / "results" / "serving" / "load_fit" / "ttft-against-load.figure.json"
    words.write_text(json.dumps({"alt": HOSTILE, "caption": HOSTILE}))
    sources = [{"name": HOSTILE, "licence": HOSTILE, "file": "serving/x"}]
    (checkout / "data" / "SOURCES.json").write_text(json.dumps(sources))
    folder = build(checkout).parent
    for name in ("index.html", "serving.html", "serving/capacity.html"):
        text = (folder / name).read_text()
        assert "alert(" in text
        assert "<script>alert" not in text
        assert Page(folder / name).open == []


def test_same_results_give_the_same_bytes_in_another_process(reports, checkout):
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-m", "schedlab.lab.report"],
        cwd=checkout, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "report: reports/index.html\n"
    assert digests(checkout / "reports") == digests(reports)


def test_checkout_without_results_gives_a_ledger_of_systems_not_built(checkout):
    for path in (checkout / "results").rglob("*.json"):
        path.unlink()
    index = build(checkout)
    assert index.read_text().count(">not built<") == 7
    assert not (checkout / "reports" / "serving.html").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"verdict": "probably"}, r"load_fit\.json: claims\.serving/slai-median-ttft\.verdict: "),
        ({"estimate": "much"}, r"claims\.serving/slai-median-ttft\.estimate: "),
        ({"id": "serving/a\"><b>"}, r"slai-median-ttft\.id: "),
        ({"system": "ranking"}, "belongs to ranking, not to serving"),
        ({"figure": "tail"}, "no figure tail; there are ttft-against-load"),
    ],
)  # fmt: skip
def test_a_damaged_finding_is_refused_by_file_and_key(checkout, changes, message):
    before = digests(build(checkout).parent)
    change_claim(checkout, **changes)
    with pytest.raises(ValueError, match=message):
        build(checkout)
    assert digests(checkout / "reports") == before
    assert [path.name for path in checkout.glob(".reports-*")] == []


@pytest.mark.parametrize("missing", ["notebook.ipynb", "ttft-against-load.svg"])
def test_a_missing_artifact_is_named_with_the_remedy(checkout, missing):
    (checkout / "results" / "serving" / "load_fit" / missing).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{missing} is missing; .*dvc repro"):
        build(checkout)


@pytest.mark.parametrize(
    "name", ["results/serving/load_fit.json", "results/serving/load_fit/notebook.ipynb"]
)
def test_a_truncated_file_is_reported_on_one_line(checkout, name, monkeypatch, capsys):
    path = checkout / name
    path.write_text(path.read_text()[:200])
    monkeypatch.chdir(checkout)
    assert main([]) == 1
    assert re.fullmatch(rf"error: .*{re.escape(path.name)}.*dvc repro\n", capsys.readouterr().err)


def _colours():
    css = (TEMPLATES / "report.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.S)[:2]
    pattern = r"--([a-z-]+): (#[0-9a-f]{6})"
    day = dict(re.findall(pattern, light))
    return [day, day | dict(re.findall(pattern, dark))]


def _luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(c * w for c, w in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("colours", _colours(), ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "tint"])
def test_text_contrasts_with_its_ground(colours, ground):
    texts = ["ink", "muted", "link", "good", "part", "bad", "open", "published"]
    texts += ["code-word", "code-text", "code-note", "code-number"]
    for name in texts:
        one, two = sorted((_luminance(colours[name]), _luminance(colours[ground])))
        assert (two + 0.05) / (one + 0.05) >= 4.5, f"{name} on {ground}"


def test_figures_stand_as_the_notebook_draws_them_and_numbered_claims_first(reports):
    rows = re.findall(
        r'<tr role="row" id="(serving/[^"]*)"', (reports / "serving.html").read_text()
    )
    assert rows[:4] == [
        "serving/slai-median-ttft",
        "serving/slai-tail-tbt",
        "serving/spf-median-ttft",
        "serving/static-offset",
    ]


def test_stages_that_share_a_notebook_are_told_apart(checkout):
    for name, seeds in (("load_fit", "[1, 2]"), ("capacity", "[7, 8]")):
        path = checkout / "results" / "serving" / name / "notebook.ipynb"
        text = re.sub(r"# (SLAI against|Capacity by)[^\\]*", "# One", path.read_text())
        path.write_text(text.replace("seeds = [0, 1, 2, 3]", f"seeds = {seeds}"))
    reports = build(checkout).parent
    text = (reports / "serving.html").read_text()
    assert "One (load_fit)" in text
    assert "One (capacity)" in text
    assert text.count("The same notebook as for") == 1
    own = '<p class="own">Its own parameters: <code>seeds: [7, 8]</code>.</p>'
    assert own in text
    page = (reports / "serving" / "capacity.html").read_text()
    assert "<code>serving.capacity</code>" in page
    assert own in page


def test_a_claim_of_two_stages_is_refused(checkout):
    stage = checkout / "results" / "serving"
    shutil.copytree(stage / "load_fit", stage / "again")
    shutil.copyfile(stage / "load_fit.json", stage / "again.json")
    with pytest.raises(ValueError, match=r"serving/\S+ is evaluated by again and by load_fit"):
        build(checkout)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("results/serving/load_fit.json", "[]", "load_fit.json: expected a dict, found"),
        ("results/serving/capacity/capacity.figure.json", '{"alt": "a"}', "no caption"),
        ("data/SOURCES.json", "{}", "SOURCES.json: expected a list"),
        ("data/SOURCES.json", '["x"]', "entries with a name"),
    ],
)
def test_a_file_of_another_shape_is_refused(checkout, name, text, message):
    (checkout / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        build(checkout)
