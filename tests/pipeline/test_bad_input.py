import pytest

from tests.pipeline.conftest import Copy


def set_load(key: str, value: object):
    return lambda values: values["serving"]["load_fit"]["smoke"].__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_load("rates", [-1.0]), ["serving.load_fit.smoke.rates", "greater than 0", "-1.0"]),
        (set_load("rates", []), ["serving.load_fit.smoke.rates", "at least 1"]),
        (set_load("requests", "many"), ["serving.load_fit.smoke.requests", "integer", "many"]),
        (set_load("request", 3), ["serving.load_fit.smoke.request", "unknown", "requests"]),
        (set_load("schedulers", ["sarati"]), ["serving.load_fit", "sarati", "sarathi"]),
        (set_load("workload", "novels"), ["serving.load_fit", "novels", "slai-fit"]),
        (set_load("cost_model", "abacus"), ["serving.load_fit", "abacus", "ada-mistral7b"]),
        (lambda values: values.update(scale="tiny"), ["scale", "tiny", "smoke, laptop, paper"]),
    ],
)
def test_a_bad_value_is_refused_in_one_line_before_anything_runs(copy: Copy, change, words):
    copy.edit(change)
    before = copy.outputs()
    finished = copy.run("schedlab.lab.reproduce")
    assert finished.returncode == 1
    lines = finished.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: params.yaml: ")
    assert all(word in lines[0] for word in words), lines[0]
    assert copy.outputs() == before


def test_unreadable_yaml_is_refused_with_line_and_column(copy: Copy):
    with (copy.root / "params.yaml").open("a") as file:
        file.write("serving: [\n")
    finished = copy.run("schedlab.lab.reproduce")
    assert finished.returncode == 1
    assert "unreadable YAML, line" in finished.stderr


def test_a_stage_refused_by_dvc_leaves_its_earlier_results(copy: Copy):
    assert copy.run("dvc", "repro", "-s", "data").returncode == 0
    assert copy.run("dvc", "repro", "-s", "serving@batch").returncode == 0
    before = copy.outputs()
    copy.edit(lambda values: values["serving"]["batch"]["smoke"].update(requests=-5))
    finished = copy.run("dvc", "repro", "-s", "serving@batch")
    assert finished.returncode != 0
    assert "serving.batch.smoke.requests" in finished.stderr
    assert copy.outputs() == before
