import numpy as np
import pytest

from schedlab.serving.costs import ADA_MISTRAL7B, COST_MODELS, TileStaircase, Work


def test_measured_table_is_linear_between_points_and_beyond():
    tokens = np.arange(1, 1025)
    expected = np.interp(tokens, ADA_MISTRAL7B.tokens, ADA_MISTRAL7B.seconds)
    assert [ADA_MISTRAL7B.linear(n) for n in tokens] == pytest.approx(expected, rel=1e-12)
    assert ADA_MISTRAL7B.linear(8192) == pytest.approx(0.10076 + 7168 * 0.0932e-3)


def test_decodes_read_their_context():
    with_context = ADA_MISTRAL7B(Work(((412, 0),), 100, 100_000))
    assert with_context == pytest.approx(0.05304 + 1.7067e-7 * 100_000)


def test_peak_rate_bounds_every_batch():
    for cost in COST_MODELS.values():
        rates = [n / cost(Work(((n, 0),))) for n in range(1, 20_000)]
        assert max(rates) <= cost.peak_tokens_per_s * (1 + 1e-12)
        assert max(rates) > 0.95 * cost.peak_tokens_per_s


def test_tile_begun_is_paid_in_full():
    cost = TileStaircase()
    assert cost(Work(((128, 0),))) == pytest.approx(4640e-6)
    assert cost(Work(((128, 0),), 1, 999)) == pytest.approx(8000e-6 + 129 * 5e-6)
    assert cost.peak_tokens_per_s == pytest.approx(128 / 4640e-6)


@pytest.mark.parametrize("options", [{"tile_tokens": 0}, {"pass_s": 0.0}, {"token_s": -1.0}])
def test_senseless_tiles_are_refused(options):
    with pytest.raises(ValueError, match="are needed, got"):
        TileStaircase(**options)
