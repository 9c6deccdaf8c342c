"""Pages that describe the pipeline, the data, the ledger and the works equal what they describe."""

import json

import pytest
import yaml

from schedlab.data.catalog import datasets
from schedlab.lab import handbook
from schedlab.lab.paths import find_root

ROOT = find_root()
REMEDY = "is not what `make docs` writes"


@pytest.mark.parametrize("name", handbook.PAGES)
def test_no_page_is_stale(name):
    assert (ROOT / "docs" / name).read_text() == handbook.PAGES[name](ROOT), f"{name} {REMEDY}"


def test_readme_draws_the_stages_as_dvc_does():
    pages = [(ROOT / name).read_text() for name in ("README.md", "docs/pipeline.md")]
    drawn, expected = (handbook.DRAWING.findall(page) for page in pages)
    assert drawn == expected, f"README's drawing {REMEDY}"
    systems = [k for k, v in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items()]
    assert all(f'["{name}"]' in drawn[0] for name in systems)


def test_every_data_set_has_its_licence_and_every_verdict_its_row():
    page = (ROOT / "docs" / "data.md").read_text()
    for name, entry in datasets().items():
        assert f"| `{name}` | {entry.origin} | {entry.licence} |" in page
    page = (ROOT / "docs" / "not-reproduced.md").read_text()
    for path in (ROOT / "results").glob("*/*.json"):
        for finding in json.loads(path.read_text()).get("claims", {}).values():
            row = f"| {finding['sentence']} | "
            assert (row in page) >= (finding["verdict"] == "not reproduced")


def test_every_work_can_be_cited():
    works = yaml.safe_load((ROOT / "CITATION.cff").read_text())["references"]
    page = handbook.citing(ROOT)
    assert page.count("\n@") == len(works) == 7
    assert page.count("{") == page.count("}")
    assert "Gustavo de Veciana" in page
