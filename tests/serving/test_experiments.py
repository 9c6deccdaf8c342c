import pandas as pd
import pytest

from schedlab.serving.costs import COST_MODELS
from schedlab.serving.experiment import load, offsets, routing, rules, runs, throughput
from schedlab.serving.figures import batches as batch_figures
from schedlab.serving.figures import load as load_figures
from schedlab.serving.figures import offsets as offset_figures
from schedlab.serving.figures import routing as routing_figures
from schedlab.serving.figures import throughput as throughput_figures
from schedlab.serving.parameters import (
    BatchParameters,
    LoadParameters,
    Mix,
    OffsetParameters,
    RoutingParameters,
    ThroughputParameters,
)

SARATHI = {"use": "sarathi", "label": "Sarathi-Serve (FCFS)"}
SLAI = {"use": "slai", "label": "SLAI (SPF, dynamic)"}
SCENE = {
    "workload": "slai-fit",
    "cost_model": "ada-mistral7b",
    "schedulers": [SARATHI, SLAI],
    "blocks": 14733,
    "paying_share": 0.2,
    "paying_tbt_s": 0.1,
    "free_tbt_s": 0.5,
}
SEEDS = [1, 2, 3]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setenv("SCHEDLAB_JOBS", "1")
    monkeypatch.setenv("TQDM_DISABLE", "1")


@pytest.fixture(scope="module")
def theory() -> ThroughputParameters:
    return ThroughputParameters(
        cost_model="tile",
        tile_tokens=128,
        tiling_cost_model="tile",
        staircases=["h100-staircase"],
        tile_budgets=[128, 256],
        mixes={"one": Mix(prompt_tiles=4, mean_output=50, max_output=128)},
        schedulers=[{"use": "rad", "label": "RAD (N = ∞)"}, {"use": "orca", "label": "Orca"}],
        loads=[0.8, 1.3],
        cycles=[16],
        horizon_s=2,
        seeds=SEEDS,
    )


def test_latency_has_a_row_per_scheduler_rate_seed_and_class():
    parameters = LoadParameters(
        **SCENE,
        rates=[1.0, 3.0],
        near_capacity=[3.0],
        requests=30,
        seeds=SEEDS,
        ttft_slo_s=0.5,
        capacity_between=(0.5, 8.0),
    )
    latency = load.latency_against_load(parameters)
    assert len(latency) == 2 * 2 * 3 * 3
    keys = ["scheduler", "rate", "seed", "class"]
    assert not latency.duplicated(keys).any()
    slow, fast = (latency[latency["rate"] == rate]["ttft_mean_s"].mean() for rate in (1.0, 3.0))
    assert slow < fast
    capacity = load.capacity_by_bisection(parameters)
    assert capacity["capacity"].between(0.5, 8.0).all()
    figure = load_figures.latency_against_load(
        latency, "ttft_p50_s", label="median (s)", bound=3.9, objective=(0.5, "objective")
    )
    drawn = {line.get_label() for line in figure.axes[0].lines}
    assert {SARATHI["label"], SLAI["label"]} <= drawn
    assert len(load_figures.tbt_against_load(latency).axes) == 2
    assert len(load_figures.capacity_bars(capacity, 3.9).axes[0].patches) == 2


def test_schedulers_compared_under_one_seed_serve_the_same_requests():
    parameters = BatchParameters(**SCENE, requests=20, rate=2.0, seeds=[5])
    served = [run.requests for run in load.follow_batches(parameters).values()]
    same = ["arrival_s", "prompt_tokens", "output_tokens", "class"]
    assert served[0][same].equals(served[1][same])


def test_figures_of_a_run_show_its_tokens():
    parameters = BatchParameters(**SCENE, requests=20, rate=2.0, seeds=[5])
    found = load.follow_batches(parameters)
    strip = batch_figures.batch_strip(found, first=0, count=10)
    heights = [bar.get_height() for bar in strip.axes[0].patches]
    run = found[SARATHI["label"]]
    shown = run.batches[run.batches["start_s"] < strip.axes[0].get_xlim()[1]]
    assert sum(heights) == shown[["prefill_tokens", "decode_tokens"]].to_numpy().sum()
    lives = batch_figures.request_lives(run, "a run", begin=0.0, end=1e9)
    (ticks,) = [line for line in lives.axes[0].lines if line.get_label() == "token"]
    assert len(ticks.get_xdata()) == run.requests["output_tokens"].sum()


def test_the_bound_is_peak_throughput_over_mean_tokens():
    parameters = BatchParameters(**SCENE, requests=20, rate=2.0, seeds=[5])
    tokens = runs.workload(parameters, 1.0, 16_000, 0)[["prompt_tokens", "output_tokens"]]
    peak = COST_MODELS["ada-mistral7b"].peak_tokens_per_s
    assert runs.throughput_bound(parameters) == pytest.approx(
        peak / tokens.sum(axis=1).mean(), rel=0.01
    )


def test_a_scheduler_from_a_dotted_path_counts_as_ones_own():
    mine = {"use": "schedlab.serving.schedulers.sarathi:Sarathi", "label": "mine"}
    assert runs.own_labels([SARATHI, mine]) == ["mine"]


def test_offsets_are_swept_on_both_machines_beside_the_baselines():
    parameters = OffsetParameters(
        **SCENE | {"schedulers": [SARATHI]},
        offsets=[0, 20],
        scarce_blocks=1500,
        rate=3.0,
        requests=30,
        priority_rate=3.0,
        priority_requests=30,
        seeds=SEEDS,
    )
    table = offsets.offset_sweep(parameters)
    assert set(table["blocks"]) == {14733, 1500}
    assert set(table["offset"].dropna()) == {0, 20}
    assert table["offset"].isna().sum() == 2 * 3 * 3
    eager, late = (table[table["offset"] == offset]["tbt_p99_s"].mean() for offset in (20, 0))
    assert eager < late
    figure = offset_figures.offset_trade(table, "ttft_mean_s", users="all", label="s", limit=1.0)
    titles = [axes.get_title() or axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["14,733 blocks", "1,500 blocks"]
    priority = offsets.priority_comparison(parameters)
    assert priority["scheduler"].nunique() == 2
    assert len(offset_figures.priority_bars(priority).axes) == 4


def test_mean_tokens_in_closed_form_is_that_of_the_draw():
    mix = Mix(prompt_tiles=8, mean_output=200, max_output=512)
    drawn = throughput.tile_lengths(mix, 128, 200_000, 0)
    assert (drawn["prompt_tokens"] % 128 == 0).all()
    assert drawn["output_tokens"].between(1, 512).all()
    assert drawn.sum(axis=1).mean() == pytest.approx(throughput.mean_tokens(mix, 128), rel=0.003)


def test_saturated_rad_runs_at_the_rate_of_full_tiles(theory):
    table = throughput.saturated_throughput(theory)
    rad = table[table["scheduler"] == "RAD (N = ∞)"]
    assert rad["full_tokens_per_s"].tolist() == pytest.approx([128 / 0.00464] * 3)
    assert rad["share"].min() > 0.98
    assert (table["served_of_bound"] <= 1 + 1e-9).all()
    assert len(throughput_figures.share_of_bound(table).axes) == 1


def test_backlog_stays_below_the_bound_and_grows_above_it(theory):
    stable, trace = throughput.stability(theory)
    assert len(stable) == 2 * 3
    below, above = (stable[stable["load"] == at] for at in (0.8, 1.3))
    assert below["left"].max() < above["left"].min()
    assert (above["fluid_growth"] > 0).all()
    assert (below["fluid_growth"] < 0).all()
    last = trace[trace["time_s"] == 2.0].groupby("load")["requests"].mean()
    assert last[0.8] < last[1.3]
    assert len(throughput_figures.backlog_over_time(trace).axes[0].lines) == 2


def test_short_cycles_waste_tiles(theory):
    table = throughput.cycles(theory).groupby("scheduler")["share"].mean()
    assert table["RAD (N = 16)"] < table["RAD (N = ∞)"]
    throughput_figures.share_by_cycle(throughput.cycles(theory))


def test_eight_tokens_past_a_tile_cost_throughput(theory):
    table = throughput.tiling(theory)
    means = table.groupby(["scheduler", "budget", "extra"])["tokens_per_s"].mean()
    for budget in (128, 256):
        whole, part = (means[("Sarathi-Serve", budget, extra)] for extra in (0, 8))
        assert part < whole
        assert whole == pytest.approx(128 / 0.00464, rel=1e-3)
    steps = throughput.staircase(theory)
    times = steps.set_index(["cost_model", "tokens"])["batch_s"]
    assert times["tile", 128] == pytest.approx(0.00464)
    assert times["h100-staircase", 128] == pytest.approx(0.00637)
    throughput_figures.tile_staircase(steps, table)


def test_routers_differ_in_latency_under_common_requests():
    parameters = RoutingParameters(
        **SCENE | {"schedulers": [SARATHI]},
        routers=["random", "least_outstanding"],
        replicas=2,
        rates=[3.0],
        requests=60,
        seeds=SEEDS,
    )
    table = routing.routing(parameters)
    everyone = table[table["class"] == "all"].groupby("router")
    assert everyone["requests"].sum().tolist() == [180, 180]
    assert (
        everyone["ttft_mean_s"].mean()["least_outstanding"]
        < everyone["ttft_mean_s"].mean()["random"]
    )
    assert len(routing_figures.routers_against_load(table).axes) == 2


def test_fleet_throughput_stops_where_the_first_replica_does():
    batches = pd.DataFrame(
        {
            "replica": [0, 0, 1, 1, 1],
            "start_s": [0.0, 1.0, 0.0, 1.0, 2.0],
            "duration_s": 1.0,
            "prefill_tokens": [10, 10, 10, 10, 500],
            "decode_tokens": [0, 5, 0, 5, 0],
        }
    )
    assert routing.fleet_throughput(batches) == pytest.approx(50 / 2.0)


def test_rules_hold_for_slai_and_their_checks_notice_when_they_do_not():
    parameters = BatchParameters(**SCENE, requests=40, rate=3.0, seeds=[5, 6])
    table = rules.rule_checks(parameters)
    assert (table[["equal", "conserving", "on_time"]] == 1).all(axis=None)
    late = {"use": "slai", "label": "late", "options": {"offset": 0}}
    run = runs.serve(parameters, late, 3.0, 40, 5, check=True)
    assert rules.waits_on_time(run) < 1  # its decodes wait ten mean batch times longer
    rad = {"use": "rad", "label": "RAD"}
    assert rules.conserving_batches(runs.serve(parameters, rad, 3.0, 40, 5, check=True)) < 1
    assert rules.equal_batches(run, runs.serve(parameters, SARATHI, 3.0, 40, 5, check=True)) < 1


def test_members_of_a_batch_are_drawn_in_full():
    parameters = BatchParameters(**SCENE, requests=20, rate=2.0, seeds=[5])
    run = load.follow_batches(parameters)[SLAI["label"]]
    figure = batch_figures.batch_members(run, "a run", first=2, count=5)
    drawn = sum(bar.get_height() for bar in figure.axes[0].patches)
    assert drawn == run.batches.iloc[2:7][["prefill_tokens", "decode_tokens"]].to_numpy().sum()
