import numpy as np
import pandas as pd
import pytest

from schedlab.serving.workload import (
    PAYING_AND_FREE,
    RequestClass,
    all_at_once,
    build_requests,
    burst_arrivals,
    draw_classes,
    poisson_arrivals,
    replay_requests,
    replayed_arrivals,
    true_rate,
)

LENGTHS = pd.DataFrame({"prompt_tokens": range(1, 501), "output_tokens": range(501, 1001)})


def test_loads_differ_only_in_how_densely_requests_arrive():
    slow, fast = (build_requests(LENGTHS, 300, rate, seed=4) for rate in (0.5, 2.0))
    assert slow["arrival_s"].to_numpy() == pytest.approx(4 * fast["arrival_s"].to_numpy())
    pd.testing.assert_frame_equal(slow.drop(columns="arrival_s"), fast.drop(columns="arrival_s"))


def test_shorter_workload_is_the_beginning_of_a_longer_one():
    short, long = (build_requests(LENGTHS, n, 1.0, seed=4) for n in (50, 300))
    pd.testing.assert_frame_equal(short, long.head(50))


def test_seeds_give_other_requests():
    one, other = (build_requests(LENGTHS, 50, 1.0, seed) for seed in (1, 2))
    for column in ("arrival_s", "prompt_tokens"):
        assert (one[column] != other[column]).mean() > 0.9


def test_lengths_are_drawn_without_replacement_and_in_pairs():
    table = build_requests(LENGTHS, 500, 1.0, seed=0)
    assert sorted(table["prompt_tokens"]) == list(range(1, 501))
    assert (table["output_tokens"] - table["prompt_tokens"] == 500).all()


@pytest.mark.parametrize("truncate_at", [None, 3.0])
def test_gaps_are_exponential_up_to_the_cut(truncate_at):
    n, rate = 200_000, 2.0
    gaps = np.diff(poisson_arrivals(n, rate, seed=1, truncate_at=truncate_at))
    assert 1 / gaps.mean() == pytest.approx(true_rate(rate, truncate_at), rel=0.01)
    assert np.median(gaps) == pytest.approx(np.log(2) / rate, rel=0.01)
    assert gaps.max() <= (truncate_at or np.inf) / rate * (1 + 1e-6)
    assert true_rate(1.0, 3.0) == pytest.approx(1.0524, abs=1e-4)


def test_classes_follow_their_shares():
    table = build_requests(LENGTHS, 500, 1.0, seed=0)
    limits = table.groupby("class")["tbt_limit_s"].unique()
    assert {name: list(values) for name, values in limits.items()} == {
        "free": [0.5],
        "paying": [0.1],
    }
    drawn = draw_classes(100_000, 3, PAYING_AND_FREE)
    assert (drawn == 0).mean() == pytest.approx(0.05, abs=0.003)
    assert (draw_classes(50, 0, [RequestClass("only", 1.0, 0.2)]) == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 501}, "between 1 and the 500 lengths of the data set, got 501"),
        ({"n": 0}, "between 1 and the 500 lengths"),
        ({"rate": 0.0}, "rate must be a finite number of requests/s > 0, got 0.0"),
        ({"rate": float("nan")}, "rate must be a finite number"),
        ({"truncate_at": -1.0}, "truncate_at must be > 0 or None, got -1.0"),
        ({"classes": [RequestClass("a", 0.5, 1.0)]}, "must be >= 0 and sum to 1"),
        ({"classes": []}, "must be >= 0 and sum to 1"),
    ],
)
def test_senseless_workloads_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build_requests(LENGTHS, **({"n": 10, "rate": 1.0, "seed": 0} | options))


def test_a_trace_is_replayed_in_its_order_and_at_its_times():
    trace = LENGTHS.head(4).assign(arrived_at=[7.0, 5.0, 7.0, 9.0])
    table = replay_requests(trace, seed=0)
    assert table["arrival_s"].tolist() == [0, 2, 2, 4]
    assert table["prompt_tokens"].tolist() == [2, 1, 3, 4]
    assert table["request_id"].tolist() == [0, 1, 2, 3]
    assert list(table) == list(build_requests(LENGTHS, 4, 1.0, seed=0))
    faster = replay_requests(trace, seed=0, rate=1.5)
    assert faster["arrival_s"].tolist() == [0, 1, 1, 2]
    assert 3 / faster["arrival_s"].iloc[-1] == 1.5


def test_bursts_and_everything_at_once():
    assert burst_arrivals(5, 2, 10.0).tolist() == [0, 0, 10, 10, 20]
    assert all_at_once(3).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: replay_requests(LENGTHS, 0), "a column 'arrived_at' is needed to replay"),
        (lambda: replayed_arrivals([1.0, 0.0]), "must be finite numbers that do not decrease"),
        (lambda: replayed_arrivals([]), "must be finite numbers"),
        (lambda: replayed_arrivals([1.0, 1.0], rate=2.0), "of one moment cannot be stretched"),
        (lambda: burst_arrivals(5, 0, 1.0), "bursts need size >= 1 and gap_s >= 0, got 0"),
    ],
)
def test_senseless_arrivals_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
