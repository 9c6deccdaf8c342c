"""What theory says of RAD and the baselines, to the last token: claims C1 to C3, C7, C8, C14."""

import numpy as np
import pandas as pd
import pytest

from schedlab.serving.costs import A100_STAIRCASE, TileStaircase, Work
from schedlab.serving.engine import simulate
from schedlab.serving.schedulers import RAD, FasterTransformer, Orca, Sarathi, StaticSplit

TILE = TileStaircase(tile_tokens=16, pass_s=4e-3, token_s=5e-6)
FULL_S = TILE(Work(((16, 0),)))
PLENTY = {"total_blocks": 10**6, "check": True}


def alike(n, prompt, output, arrivals=0.0):
    table = pd.DataFrame({"request_id": range(n), "arrival_s": arrivals})
    return table.assign(prompt_tokens=prompt, output_tokens=output)


def drawn(n, seed, *, tiles=8, mean_output=25, arrivals=0.0):
    """Draw prompts of whole tiles and outputs of geometric length."""
    rng = np.random.default_rng(seed)
    prompts = 16 * rng.integers(1, tiles + 1, n)
    outputs = np.minimum(rng.exponential(mean_output, n).astype(int) + 1, 64)
    return alike(n, prompts, outputs, arrivals)


def tokens_per_s(batches):
    return (
        batches[["prefill_tokens", "decode_tokens"]].to_numpy().sum() / batches["duration_s"].sum()
    )


class WatchedRAD(RAD):
    """Checks claim C1 on every batch it decides."""

    def schedule(self, state, now):
        decision = super().schedule(state, now)
        used, decoding = sum(decision.tokens.values()), len(state.decoding)
        no_prompt = not state.waiting and not state.prefilling
        assert used == self.b_col or (no_prompt and used == decoding < self.b_col)
        assert decoding <= self.b_col
        return decision


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("load", [0.5, 0.95, 1.3])
def test_c1_every_batch_of_rad_fills_its_tile_unless_only_decodes_are_left(seed, load):
    requests = drawn(150, seed)
    size = requests[["prompt_tokens", "output_tokens"]].to_numpy().sum() / 150
    gaps = np.random.default_rng(seed + 9).exponential(size * FULL_S / 16 / load, 150)
    run = simulate(requests.assign(arrival_s=gaps.cumsum()), WatchedRAD(b_col=16), TILE, **PLENTY)
    assert run.batches["running"].max() <= 16
    assert (run.batches["decode_tokens"].min() < 16) or load > 1


@pytest.mark.parametrize("b", [128, 256, 384, 512, 768, 1024])
def test_c3_saturated_throughput_is_that_of_full_batches(b):
    def saturated(scheduler, budget):
        # Two chunks and three decodes each, and more requests than decode at once.
        requests = alike(b + b // 4, 2 * budget, 3)
        run = simulate(requests, scheduler, A100_STAIRCASE, total_blocks=10**6)
        return tokens_per_s(run.batches[run.batches["waiting"] > 0])

    def whole(n):
        return n / A100_STAIRCASE.linear(n)

    rad = RAD(b_col=b)
    sarathi = [Sarathi(token_budget=n, max_num_seqs=n) for n in (b, b + 8)]
    assert saturated(rad, b) == pytest.approx(whole(b), rel=1e-3)
    assert saturated(sarathi[0], b) == pytest.approx(whole(b), rel=1e-3)
    past = saturated(sarathi[1], b + 8)
    assert past == pytest.approx(whole(b + 8), rel=1e-3)
    assert past < whole(b) or b == 1024  # the printed table ends there


@pytest.mark.parametrize("load", [0.8, 1.25])
def test_c7_backlog_of_rad_is_what_the_fluid_limit_says(load):
    n, horizon = 1500, 20.0
    requests = drawn(n, seed=4)
    size = requests[["prompt_tokens", "output_tokens"]].to_numpy().sum() / n
    rate = load * TILE.peak_tokens_per_s / size
    requests["arrival_s"] = np.random.default_rng(2).exponential(1 / rate, n).cumsum()
    run = simulate(requests, RAD(b_col=16), TILE, until_s=horizon, **PLENTY)
    backlog = run.batches["backlog_tokens"]
    if load < 1:
        assert backlog.max() < 40 * 16 * 8
        assert backlog.tail(500).min() < 16 * 16
        return
    arrived = (
        run.requests["prompt_tokens"].sum() + requests["output_tokens"][: len(run.requests)].sum()
    )
    fluid = arrived - TILE.peak_tokens_per_s * horizon
    assert backlog.iloc[-1] == pytest.approx(fluid, rel=0.05)
    assert fluid > 4000


@pytest.mark.parametrize("cycle", [1, 4, 16])
def test_c8_a_short_cycle_costs_throughput_as_computed(cycle):
    # All requests alike: two chunks each, then eight decodes of the whole cycle at once.
    requests = alike(64, 32, 8)
    run = simulate(requests, RAD(b_col=16, prefills_per_cycle=cycle), TILE, **PLENTY)
    decode_s = 8 * TILE(Work((), cycle, 0))
    expected = 64 / cycle * (2 * cycle * FULL_S + decode_s)
    assert run.requests["finish_s"].max() == pytest.approx(expected)
    best = simulate(requests, RAD(b_col=16), TILE, **PLENTY)
    assert best.requests["finish_s"].max() <= expected * (1 + 1e-9)


@pytest.mark.parametrize(
    ("split", "prompt", "output"),
    [((1, 1), 64, 16), ((1, 1), 16, 64), ((4, 1), 64, 16), ((4, 1), 16, 16), ((1, 3), 32, 32)],
)
def test_c14_static_splits_reach_what_their_scarcer_kind_allows(split, prompt, output):
    prefills, decodes = split
    scheduler = StaticSplit(prefills=prefills, decodes=decodes, token_budget=16, max_num_seqs=10**6)
    run = simulate(alike(500, prompt, output), scheduler, TILE, total_blocks=10**6)
    busy = run.batches[run.batches["waiting"] > 0].iloc[len(run.batches) // 8 :]
    done = busy[["prefill_tokens", "decode_tokens"]].to_numpy().sum(axis=0) / [prompt, output]
    finished_per_s = done.min() / busy["duration_s"].sum()
    shares = np.array([prompt, output]) / (prompt + output)
    turns = np.array([prefills, decodes]) / (prefills + decodes)
    optimum = TILE.peak_tokens_per_s / (prompt + output)
    # A batch of fewer than 16 decodes saves their time per token, nothing else.
    assert finished_per_s == pytest.approx(optimum / max(shares / turns), rel=0.02)


def test_c14_rad_reaches_the_optimum_for_every_mix():
    for prompt, output in ((64, 16), (16, 64), (32, 32)):
        run = simulate(alike(300, prompt, output), RAD(b_col=16), TILE, **PLENTY)
        busy = run.batches[run.batches["waiting"] > 0]
        assert tokens_per_s(busy) == pytest.approx(TILE.peak_tokens_per_s, rel=1e-9)


def test_c14_faster_transformer_waits_for_the_longest_in_closed_form():
    outputs = np.tile([1, 1, 1, 61], 16)
    requests = alike(64, 16, outputs)
    run = simulate(requests, FasterTransformer(max_num_seqs=16), TILE, **PLENTY)
    one_batch = TILE(Work(((256, 0),))) + TILE(Work((), 16, 0)) + 60 * TILE(Work((), 4, 0))
    assert run.requests["finish_s"].max() == pytest.approx(4 * one_batch)
    assert tokens_per_s(run.batches) < 0.5 * TILE.peak_tokens_per_s
    rad = simulate(requests, RAD(b_col=16), TILE, **PLENTY)
    assert tokens_per_s(rad.batches[rad.batches["waiting"] > 0]) == pytest.approx(
        TILE.peak_tokens_per_s
    )


def test_orca_with_enough_slots_comes_near_the_bound():
    scheduler = Orca(max_num_seqs=64, max_model_len=512)
    run = simulate(drawn(300, seed=1, tiles=16, mean_output=40), scheduler, TILE, **PLENTY)
    busy = run.batches[run.batches["waiting"] > 0]
    assert 0.8 * TILE.peak_tokens_per_s < tokens_per_s(busy) <= TILE.peak_tokens_per_s


def test_single_tokens_are_a_bulk_queue_in_closed_form():
    # One token a request, emitted with its prompt; a batch takes 1 s and everybody: whoever
    # arrives while a batch runs is done one second after it ends.
    arrivals = np.concatenate([[0.0], np.random.default_rng(0).uniform(0, 30, 300)])
    arrivals.sort()
    requests = alike(301, 1, 1, arrivals)
    run = simulate(
        requests,
        Sarathi(max_num_seqs=999),
        lambda work: 1.0,
        first_token_at_prefill=True,
        check=True,
    )
    assert run.requests["finish_s"].to_numpy() == pytest.approx(np.ceil(arrivals) + 1, abs=1e-9)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.9])
def test_one_slot_is_a_queue_with_two_service_stages(load):
    # D/D/1 below capacity never waits; one request at a time, prompt and token of one pass each.
    service = TILE(Work(((16, 0),))) + TILE(Work((), 1, 16))
    requests = alike(200, 16, 1, np.arange(200) * service / load)
    for scheduler in (RAD(b_col=16), Sarathi(token_budget=16), FasterTransformer()):
        run = simulate(requests, scheduler, TILE, **PLENTY)
        assert (run.requests["finish_s"] - run.requests["arrival_s"]).to_numpy() == pytest.approx(
            service
        )
