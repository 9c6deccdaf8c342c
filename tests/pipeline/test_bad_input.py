"""Bad input is refused in one line that says what is wrong and where, before anything runs."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from schedlab.lab import parameters
from schedlab.lab.paths import find_root
from tests.pipeline.conftest import Copy

GIVEN = yaml.safe_load((find_root() / "params.yaml").read_text())

REFUSALS = [
    # where, what is written there, words of the refusal
    ("serving.load_fit.rates", [-1.0], ["rates.0", "greater than 0", "-1.0"]),
    ("serving.load_fit.rates", [], ["at least 1"]),
    ("serving.load_fit.requests", "many", ["integer", "many"]),
    ("serving.load_fit.request", 3, ["unknown parameter", "requests"]),
    ("serving.load_fit.seeds", [1, 1], ["a seed occurs twice"]),
    ("serving.load_fit.seeds", [-1], ["seeds.0", "greater than or equal to 0"]),
    ("serving.load_fit.schedulers", [], ["the list is empty", "sarathi"]),
    ("serving.load_fit.schedulers", ["sarati"], ["'sarati'", "did you mean 'sarathi'"]),
    ("serving.load_fit.schedulers", [{"label": "mine"}], ["schedulers.0.use", "missing"]),
    ("serving.load_fit.schedulers", ["slai", "slai"], ["'slai' occurs twice", "own label"]),
    (
        "serving.load_fit.schedulers",
        [{"use": "slai", "options": {"offfset": 1}}],
        ["'offfset'", "it takes", "offset"],
    ),
    (
        "serving.load_fit.schedulers",
        ["extensions.serving.nowhere:Mine"],
        ["no module extensions.serving.nowhere", "expected extensions/serving/nowhere.py"],
    ),
    (
        "serving.load_fit.schedulers",
        ["schedlab.serving.schedulers:Slay"],
        ["unknown class 'Slay'"],
    ),
    ("serving.load_fit.workload", "novels", ["'novels'", "slai-fit"]),
    ("serving.load_fit.cost_model", "abacus", ["unknown cost model", "ada-mistral7b"]),
    ("serving.load_fit.blocks", 0, ["greater than 0"]),
    ("serving.load_fit.paying_share", 1.5, ["less than or equal to 1", "1.5"]),
    ("serving.load_fit.capacity_between", [3.0, 1.0], ["3 is not below 1"]),
    ("serving.offsets.rate", math.nan, ["finite number"]),
    ("serving.throughput.horizon_s", math.inf, ["finite number"]),
    ("serving.routing.replicas", 1.5, ["integer", "1.5"]),
    ("ranking.training.held_out", 1.0, ["less than 1"]),
    ("ranking.training.rankers", ["listmel"], ["'listmel'", "linear, sequence"]),
    ("ranking.worth.taus", [2.0], ["taus.0", "less than or equal to 1"]),
    ("ranking.rates.arrivals", "bursts", ["'poisson'", "'bursts'"]),
    ("ranking.burst.machine", {}, ["machine.cost_model", "missing"]),
    ("diffusion.zoo.schedulers", ["ddmi"], ["'ddmi'", "ddim"]),
    ("diffusion.orders.cleanest", 30.0, ["cleanest", "30 is not below 20"]),
    ("diffusion.train.images", "cats", ["digits", "'cats'"]),
    ("diffusion.seeds.inversion_steps", [], ["at least 2"]),
    ("estimation.exact.discount", 1.5, ["less than 1"]),
    ("estimation.exact.headline", {"S99": 1.0}, ["unknown system", "S1, S2"]),
    ("estimation.channel.losses", [1.2], ["losses.0", "less than 1"]),
    ("estimation.recorded.recordings", ["weather"], ["'glucose'", "'weather'"]),
    ("microcontrollers.schedule.board", "arduino", ["'arduino'", "rp2040"]),
    ("microcontrollers.schedule.model", "gpt", ["no 'gpt'", "digits_cnn_int8"]),
    ("microcontrollers.sweeps.cores", [0], ["cores.0", "greater than or equal to 1"]),
    ("trainability.l2.lr", -0.1, ["greater than 0"]),
    ("trainability.l2.activation", "gelu", ["relu, crelu", "'gelu'"]),
    ("trainability.l2.widths", [784], ["at least 3"]),
    ("trainability.streams.streams", ["noise"], ["'shuffled_labels'", "'noise'"]),
]


def written(path: str, value: Any) -> dict[str, Any]:
    """Return ``params.yaml`` at smoke scale, narrowed to one stage, with one value changed."""
    system, stage, key = path.split(".")
    parts = copy.deepcopy(GIVEN[system][stage])
    parts["smoke"][key] = value
    return {"scale": "smoke", "threads": 1, system: {stage: parts}}


@pytest.mark.parametrize(
    ("path", "value", "words"), REFUSALS, ids=[f"{path}={value}" for path, value, _ in REFUSALS]
)
def test_a_bad_value_is_refused_in_one_line(tmp_path: Path, path: str, value, words: list[str]):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(written(path, value)))
    with pytest.raises(ValueError, match=r"^params\.yaml: ") as refused:
        parameters.check_all(tmp_path)
    message = str(refused.value)
    assert "\n" not in message
    assert all(word in message for word in [path.rsplit(".", 1)[0], *words]), message


def test_a_refusal_comes_before_anything_runs(copy: Copy):
    copy.edit(lambda values: values["serving"]["load_fit"]["smoke"].update(rates=[-1.0]))
    before = copy.outputs()
    finished = copy.run("schedlab.lab.reproduce")
    assert finished.returncode == 1
    (line,) = finished.stderr.strip().splitlines()
    assert line.startswith("error: params.yaml: serving.load_fit.smoke.rates.0: ")
    assert copy.outputs() == before


def test_unreadable_yaml_is_refused_with_line_and_column(copy: Copy):
    with (copy.root / "params.yaml").open("a") as file:
        file.write("serving: [\n")
    finished = copy.run("schedlab.lab.reproduce")
    assert finished.returncode == 1
    assert "unreadable YAML, line" in finished.stderr


def test_a_stage_refused_by_dvc_leaves_its_earlier_results(finished: Copy):
    before = finished.outputs()
    assert "results/serving/batch.json" in before
    finished.edit(lambda values: values["serving"]["batch"]["smoke"].update(requests=-5))
    done = finished.run("dvc", "repro", "-s", "serving@batch")
    assert done.returncode != 0
    assert "serving.batch.smoke.requests" in done.stderr
    assert finished.outputs() == before
