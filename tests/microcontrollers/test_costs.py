"""Files of instruction counts."""

import copy
import json
from pathlib import Path

import pytest

from schedlab.microcontrollers import costs

ENTRY = {
    "buffers_bytes": {"input": 1, "transient": 2, "constants": 3, "output": 4},
    "object_text_bytes": 5,
    "object_data_bytes": 6,
    "dispatches": [
        {
            "name": "main_dispatch_0_matmul_1x8x4_i8xi8xi32",
            "op": "matmul",
            "loop_extents": [1, 8, 4],
            "workgroups": [2, 1, 1],
            "distribution": [1, 4, 0],
            "instructions": [10, 12],
            "fills_before": [32],
        }
    ],
}


def parsed(entry, key="rv32imac"):
    (model,) = costs.parse({"models": {"toy": {key: entry}}})
    return model


def test_a_file_becomes_models():
    model = parsed(ENTRY, "rv32imac@threads=2")
    assert (model.name, model.target, model.grid) == ("toy", "rv32imac", "threads=2")
    assert model.instructions == 10 + 12 + 32 / costs.FILL_BYTES
    assert model.macs == 32


def test_counts_that_are_not_of_the_grid_are_refused():
    entry = copy.deepcopy(ENTRY)
    entry["dispatches"][0]["workgroups"] = [3, 1, 1]
    with pytest.raises(ValueError, match=r"grid of 3 x 1 x 1 and 2 counts"):
        parsed(entry)


def test_a_count_of_nothing_is_refused():
    entry = copy.deepcopy(ENTRY)
    entry["dispatches"][0]["instructions"] = [10, 0]
    with pytest.raises(ValueError, match="positive instruction count"):
        parsed(entry)


def test_shipped_counts_say_how_they_were_measured():
    path = Path(costs.__file__).with_name("own_workgroup_costs.json")
    content = json.loads(path.read_text())
    assert content["compiler"] == "iree-base-compiler==3.8.0"
    assert {"qemu", "gcc", "method", "flags"} <= set(content["provenance"])


def test_shipped_networks_have_every_target_and_four_grids():
    found = costs.read(costs.OWN)
    targets = {model.target for model in found}
    assert targets == {"thumbv6m_m0plus_softfp", "thumbv8m_m33_hardfp", "rv32imac"}
    for model in costs.default_grids(costs.OWN):
        grids = {m.grid for m in found if (m.name, m.target) == (model.name, model.target)}
        assert {"default", "threads=2", "distribution=16", "none"} <= grids
        single = costs.find(costs.OWN, model.name, model.target, "none")
        assert all(dispatch.workgroups == 1 for dispatch in single.dispatches)


def test_catalogued_counts_are_those_that_were_reported(catalogued):
    assert len(catalogued) == 15
    lenet = costs.find(costs.CATALOGUED, "lenet5_quantized", "thumbv8m_m33_hardfp")
    assert lenet.instructions == 2_452_250
    assert [d.workgroups for d in lenet.dispatches] == [1, 12, 12, 16, 16, 10, 21, 5, 1]


def test_unknown_names_are_refused_with_those_there_are():
    with pytest.raises(ValueError, match="allowed are own, iree38-workgroup-costs"):
        costs.read("theirs")
    with pytest.raises(ValueError, match=r"there are .*digits_cnn_int8 \(rv32imac, default\)"):
        costs.find(costs.OWN, "digits_cnn_int9", "rv32imac")
