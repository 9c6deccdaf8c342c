"""The report in a real browser: what it asks for, complains of, and looks like on a phone."""

import json
import os
import shutil
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from schedlab.lab.report.changes import Change, Changes
from schedlab.lab.report.findings import Finding
from schedlab.lab.report.pages import changes_page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = (1280, 360)


@pytest.fixture(scope="module")
def browser():
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser found; install one of {', '.join(BROWSERS)} to run this test")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture
def tab(browser):
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    yield opened
    opened.close()


@pytest.fixture
def any_reports(reports):
    """Return the pages that SCHEDLAB_REPORT names, which CI sets to a real report, or made ones."""
    named = os.environ.get("SCHEDLAB_REPORT")
    return Path(named) if named else reports


def addresses(reports):
    return [path.as_uri() for path in sorted(reports.rglob("*.html"))]


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_ask_for_nothing_outside_complain_of_nothing_and_fit(tab, any_reports, width):
    asked, complaints = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.set_viewport_size({"width": width, "height": 900})
    for address in addresses(any_reports):
        tab.goto(address)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, address
        images = tab.evaluate("[...document.images].map(i => i.complete && i.naturalWidth)")
        assert all(images), address
    assert complaints == []
    inside = any_reports.as_uri()
    assert [url for url in asked if not url.startswith((inside, "data:"))] == []


def test_every_link_on_every_page_leads_somewhere(tab, any_reports):
    anchors = {}
    for address in addresses(any_reports):
        tab.goto(address)
        links = tab.evaluate("[...document.links].map(a => a.href)")
        ids = tab.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        anchors[urlparse(address).path] = (set(ids), links)
    for page, (_, links) in anchors.items():
        for link in links:
            target = urlparse(link)
            if target.scheme == "https":
                continue
            place = Path(unquote(target.path))
            assert place.is_file(), f"{page}: {link}"
            if target.fragment:
                assert unquote(target.fragment) in anchors[target.path][0], f"{page}: {link}"


def test_policy_of_the_page_stops_a_request_that_a_notebook_would_make(tab, reports):
    refused = []
    tab.on("console", lambda message: refused.append(message.text))
    tab.goto(addresses(reports)[0])
    tab.evaluate("document.body.innerHTML += '<img src=\"https://example.org/x.png\">'")
    tab.wait_for_timeout(100)
    assert any("Content Security Policy" in text for text in refused)


def visible(tab):
    return tab.locator("#ledger tr[data-verdict]:visible").count()


def test_filter_narrows_by_system_and_verdict_and_resets(tab, reports):
    tab.goto((reports / "index.html").as_uri())
    assert visible(tab) == 9
    tab.select_option("#system", "serving")
    assert visible(tab) == 8
    assert tab.locator("tbody.unbuilt:visible").count() == 0
    tab.select_option("#verdict", "undecided")
    assert visible(tab) == 2
    assert tab.locator("#shown").inner_text() == "2 of 9 claims"
    tab.select_option("#system", "estimation")
    assert visible(tab) == 0
    tab.get_by_role("button", name="Show all").click()
    tab.wait_for_function("document.getElementById('shown').value === '9 of 9 claims'")
    assert tab.locator("tbody.unbuilt:visible").count() == 5


def test_filter_stays_in_the_address_and_comes_back_with_it(tab, reports):
    index = (reports / "index.html").as_uri()
    tab.goto(index)
    tab.select_option("#system", "serving")
    tab.select_option("#verdict", "not reproduced")
    assert urlparse(tab.url).fragment == "system=serving&verdict=not+reproduced"
    tab.reload()
    assert visible(tab) == 1
    assert tab.input_value("#verdict") == "not reproduced"
    tab.goto(f"{index}#verdict=undecided")
    assert visible(tab) == 2
    assert tab.input_value("#system") == ""
    tab.goto(f"{index}#verdict=%3Cscript%3E&system=none")
    assert visible(tab) == 9
    assert tab.input_value("#system") == ""


def test_a_link_to_a_claim_that_the_filter_hides_shows_it(tab, reports):
    index = (reports / "index.html").as_uri()
    tab.goto(f"{index}#system=estimation")
    assert visible(tab) == 1
    tab.goto(f"{index}#serving/slai-tail-tbt")
    assert visible(tab) == 9
    assert tab.evaluate("document.querySelector(':target').getBoundingClientRect().top") < 900


def test_filter_works_from_the_keyboard_alone(tab, reports):
    tab.goto((reports / "index.html").as_uri())
    tab.focus("#system")
    tab.keyboard.type("LLM")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "verdict"
    assert tab.locator("#shown").inner_text() == "8 of 9 claims"
    tab.keyboard.type("und")
    assert visible(tab) == 2
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.getElementById('shown').value === '9 of 9 claims'")
    assert tab.url.endswith("index.html")


def test_page_of_changes_fits_and_is_quiet(tab, tmp_path, reports):
    before = Finding.model_validate(json.loads((reports / "ledger.json").read_text())[0])
    after = before.model_copy(update={"verdict": "undecided", "estimate": -0.1})
    pair = {"params.yaml: a.very.long.name.of.a.parameter.without.an.end": ("[1, 2]" * 20, 3)}
    found = Changes("one", "two", (Change(before, after), Change(None, before)), pair, pair)
    page = tmp_path / "changes.html"
    page.write_text(changes_page(found, known=()))
    complaints = []
    tab.on("console", lambda message: complaints.append(message.text))
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        tab.goto(page.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []


def test_without_scripts_all_is_visible_and_the_filter_is_not(browser, reports):
    context = browser.new_context(java_script_enabled=False)
    quiet = context.new_page()
    quiet.goto((reports / "index.html").as_uri())
    assert visible(quiet) == 9
    assert quiet.locator("#filter").is_hidden()
    context.close()


def test_keyboard_reaches_the_skip_link_first_and_it_skips(tab, reports):
    tab.goto((reports / "index.html").as_uri())
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to content"
    assert tab.locator(".skip").bounding_box()["x"] >= 0
    tab.keyboard.press("Enter")
    assert tab.url.endswith("#content")


def test_claim_row_is_a_labelled_table_row_on_a_phone_too(tab, reports):
    tab.set_viewport_size({"width": 360, "height": 800})
    tab.goto((reports / "index.html").as_uri())
    row = tab.locator("[id='serving/slai-median-ttft']")
    assert row.get_by_role("rowheader").count() == 1
    assert row.get_by_role("cell").count() == 3
    verdict = row.locator("td").nth(2).bounding_box()["y"]
    assert verdict < row.locator("td").nth(0).bounding_box()["y"]
