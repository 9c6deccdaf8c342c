"""Boards, memory and what would go wrong on them."""

from dataclasses import replace

import pytest

from schedlab.microcontrollers import costs
from schedlab.microcontrollers.anchors import board_measurements, microtvm_cycles_per_mac
from schedlab.microcontrollers.boards import board, boards
from schedlab.microcontrollers.experiment.runs import pairs
from schedlab.microcontrollers.experiment.tuner import cache_cliff
from schedlab.microcontrollers.memory import SLOT_BYTES, SLOTS, footprint
from schedlab.microcontrollers.plan import Plan


def kinds(*arguments):
    return [problem.kind for problem in Plan(*arguments).problems]


def test_an_unknown_board_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="allowed are rp2040, rp2350-arm"):
        board("rp2041")


def test_costs_that_cannot_be_are_refused(make_board):
    with pytest.raises(ValueError, match="positive core speeds"):
        make_board(speeds=(1.0, 0.0))
    with pytest.raises(ValueError, match="not negative"):
        make_board(beta=-0.1)


def test_weights_beyond_the_cache_cost_an_extra_cycle(make_board, make_dispatch):
    here = make_board(xip_cache_bytes=16 * 1024, xip_kappa=1.0)
    assert here.work(make_dispatch(100.0, weight_bytes=16 * 1024)) == [100]
    assert here.work(make_dispatch(100.0, weight_bytes=16 * 1024 + 1)) == [200]
    without = replace(here, xip_cache_bytes=0)
    assert without.work(make_dispatch(100.0, weight_bytes=2**20)) == [100]


def test_only_weights_that_are_read_again_count(make_dispatch):
    conv = {"op": "conv", "extents": (32, 32, 64, 3, 3, 64), "tile": (4, 16, 16, 0, 0, 0)}
    assert make_dispatch(1.0, **conv).weight_bytes == 16 * 3 * 3 * 64
    point = {"op": "matmul_like", "extents": (8, 8, 64, 32), "tile": (1, 8, 32, 0)}
    assert make_dispatch(1.0, **point).weight_bytes == 32 * 32
    assert make_dispatch(1.0, **point).macs == 8 * 8 * 64 * 32
    assert make_dispatch(1.0, op="matmul", extents=(1, 128, 640)).weight_bytes == 0
    assert make_dispatch(1.0, op="matvec_like", extents=(10, 32)).weight_bytes == 0
    assert make_dispatch(1.0, op="matvec_like", extents=(10, 32)).macs == 320
    assert make_dispatch(1.0, op="elementwise", extents=(784,)).weight_bytes == 0


def test_the_modelled_cliff_is_where_it_was_measured():
    table = cache_cliff().set_index(["board", "network"])
    error = table["modelled"] / table["cycles_per_mac"] - 1
    assert error.abs().max() < 0.2
    jump = table.loc["rp2350-arm"]["modelled"]
    assert jump["Mel-PolyChirp x3"] == pytest.approx(2 * jump["Mel-PolyChirp x2"])
    flat = table.loc["nrf54lm20"]["modelled"]
    assert flat.nunique() == 1


def test_anchors_as_published():
    assert microtvm_cycles_per_mac() == pytest.approx(24.6, abs=0.05)
    table = board_measurements().set_index(["board", "runtime", "network"])["cycles_per_mac"]
    assert table["rp2350-arm", "IREE", "Mel-PolyChirp x3"] == pytest.approx(18.3, abs=0.05)
    assert ("rp2350-arm", "MicroFlow", "Mel-PolyChirp x3") not in table.index  # did not fit


def test_several_cores_cost_the_same_ram_whatever_runs():
    extra = set()
    for model, on in pairs(costs.OWN, ["rp2350-arm"]):
        several, one = footprint(model, on), footprint(model, on, multicore=False)
        extra.add(several.ram - one.ram)
        assert 0 < several.flash / one.flash - 1 < 0.15
    assert extra == {2 * 2048 + 8192 + SLOTS * SLOT_BYTES}


def test_footprints_add_up():
    model = costs.find(costs.OWN, "digits_cnn_int8", "thumbv8m_m33_hardfp")
    need = footprint(model, board("rp2350-arm"))
    assert need.weights == model.constants_bytes
    assert need.tensors == model.transient_bytes + model.input_bytes + model.output_bytes
    assert need.fits
    assert not replace(need, sram_bytes=need.ram - 1).fits


@pytest.mark.parametrize("name", boards())
def test_shipped_networks_raise_no_warning_but_the_boards_own(name):
    own = {"proxy", "multi-core"}
    for model, on in pairs(costs.OWN, [name]):
        assert set(kinds(model, on)) <= own, model.name


def test_what_would_go_wrong_is_said(make_board, make_dispatch, make_model):
    here = make_board()
    small = make_model(make_dispatch(*[1.0] * 64))
    assert kinds(small, here) == []
    assert kinds(make_model(make_dispatch(*[1.0] * 65)), here) == ["job slots"]
    assert kinds(make_model(make_dispatch(*[1.0] * 65)), here.with_cores(1)) == []
    assert kinds(make_model(*[make_dispatch(1.0)] * 58), here, 1) == []
    assert kinds(make_model(*[make_dispatch(1.0)] * 58), here, 2) == ["latency slots"]
    scratch = make_dispatch(1.0, 1.0, local_memory_bytes=64)
    assert kinds(make_model(scratch), here) == ["local memory"]
    assert kinds(make_model(make_dispatch(1.0, 1.0), stack_bytes=2049), here) == ["worker stack"]
    assert kinds(make_model(make_dispatch(1.0), transient_bytes=2**20), here) == ["RAM"]
    assert kinds(make_model(make_dispatch(1.0), constants_bytes=2**22), here) == ["flash"]


def test_esp32_has_its_cores_switched_off():
    model = costs.find(costs.OWN, "digits_cnn_int8", "rv32imac")
    assert kinds(model, board("esp32s3")) == ["multi-core", "proxy"]
