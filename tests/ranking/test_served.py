"""Experiments that drive the serving engine, small, and what is claimed of their tables."""

import os

import numpy as np
import pandas as pd
import pytest
import yaml

from schedlab.lab import claims as ledger
from schedlab.lab.claims import CannotTell
from schedlab.lab.figures import looks_of
from schedlab.lab.paths import find_root
from schedlab.ranking.claims import labels, published, served
from schedlab.ranking.claims.burst import burst_claims, farthest_from_one, ordered
from schedlab.ranking.claims.rates import gain_without_queue, rates_claims
from schedlab.ranking.claims.slai import slai_claims
from schedlab.ranking.claims.worth import worth_claims
from schedlab.ranking.experiment import arrivals, burst, rates, slai, world, worth
from schedlab.ranking.figures import rates as rates_figures
from schedlab.ranking.figures import served as served_figures
from schedlab.ranking.figures import slai as slai_figures
from schedlab.ranking.figures import worth as worth_figures
from schedlab.ranking.metrics import kendall_tau
from schedlab.ranking.parameters.serving import (
    BurstParameters,
    Policy,
    RatesParameters,
    SlaiParameters,
    Trace,
    WorthParameters,
)

SECTIONS = yaml.safe_load((find_root() / "params.yaml").read_text())["ranking"]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setenv("SCHEDLAB_JOBS", "1")
    monkeypatch.setenv("TQDM_DISABLE", "1")


def small(stage, model, **changes):
    """Return a stage's parameters at smoke size, with changes."""
    return model(**{**SECTIONS[stage]["all"], **SECTIONS[stage]["smoke"], **changes})


@pytest.fixture(scope="module")
def bursts() -> BurstParameters:
    one = {"LMSYS": SECTIONS["burst"]["all"]["traces"]["LMSYS"]}
    return small("burst", BurstParameters, traces=one, requests=16, prompts=30, first=3)


def test_requests_are_filtered_and_the_first_are_those_of_a_longer_run():
    many = world.draw_requests("llama3-8b-lmsys", 300, seed=4)
    pd.testing.assert_frame_equal(many.head(50), world.draw_requests("llama3-8b-lmsys", 50, 4))
    assert many["output_tokens"].min() >= 4
    assert many["prompt_tokens"].between(4, 1024).all()
    assert not many.equals(world.draw_requests("llama3-8b-lmsys", 300, seed=5))


@pytest.mark.parametrize(("scores", "tau"), [("ranking", 0.6), ("perception", 0.3), ("none", 0.0)])
def test_scores_are_as_good_as_the_trace_says(scores, tau):
    trace = Trace(lengths="llama3-8b-lmsys", ranking_tau=0.6, perception_tau=0.3, optimal_tau=0.8)
    outputs = world.draw_requests(trace.lengths, 2000, 1)["output_tokens"].to_numpy()
    policy = Policy(use="priority", label="any", scores=scores)
    found = world.scores_for(policy, trace, outputs, 1)
    assert kendall_tau(found, outputs) == pytest.approx(tau, abs=0.03)
    assert np.array_equal(found, world.scores_for(policy, trace, outputs, 1))


def test_latency_is_a_mean_of_ratios_and_perception_is_divided_by_more(bursts):
    trace = bursts.traces["LMSYS"]
    drawn = world.draw_requests(trace.lengths, 12, 1)
    perception = next(p for p in bursts.policies if p.extra_tokens)
    run = world.run_policy(bursts.machine, perception, trace, drawn, 1)
    figures = world.summarize(run, perception.extra_tokens)
    finish_s = run.requests["finish_s"].to_numpy()
    asked = drawn["output_tokens"].to_numpy()
    assert run.requests["output_tokens"].tolist() == (asked + 15).tolist()
    assert figures["latency_mean"] == pytest.approx((finish_s / (asked + 15)).mean())
    assert figures["asked_mean"] == pytest.approx((finish_s / asked).mean())
    assert figures["asked_mean"] > figures["latency_mean"]


def test_only_what_is_predicted_pays_for_the_predictor(bursts):
    drawn, trace = world.draw_requests("llama3-8b-lmsys", 12, 1), bursts.traces["LMSYS"]
    free = bursts.machine.model_copy(update={"score_token_s": 0.0})

    def extra_s(label):
        policy = next(policy for policy in bursts.policies if policy.label == label)
        paid, unpaid = (
            world.run_policy(machine, policy, trace, drawn, 1) for machine in (bursts.machine, free)
        )
        return paid.batches["duration_s"].sum() - unpaid.batches["duration_s"].sum()

    expected = bursts.machine.score_token_s * drawn["prompt_tokens"].sum()
    assert extra_s(labels.RANKING) == pytest.approx(expected)
    assert extra_s(labels.CLASSES) == pytest.approx(expected)
    assert extra_s(labels.SRTF) == extra_s(labels.PERCEPTION) == extra_s(labels.FCFS) == 0.0


def test_burst_tables_carry_their_claims_and_figures(bursts):
    tables = {
        "example": burst.first_example(bursts.seeds),
        "burst": burst.burst(bursts),
        "data_set": burst.data_set(bursts),
        "overhead": burst.overhead(bursts),
    }
    example = tables["example"].groupby("scheduler")["latency_mean"].first()
    assert example["FCFS"] == pytest.approx(20 / 3, rel=1e-15)
    assert example["Shortest first"] == pytest.approx(3.8 / 3, rel=1e-15)
    assert len(tables["burst"]) == 2 * len(bursts.policies) * len(bursts.seeds)
    assert (tables["data_set"]["first_s"] <= tables["data_set"]["makespan_s"]).all()
    assert tables["overhead"]["share"].between(0, 0.2).all()
    findings = {f["id"]: f for f in ledger.evaluate(burst_claims(), tables, "smoke")}
    assert findings["ranking/figure-1-fcfs"]["verdict"] == "reproduced"
    assert findings["ranking/batch-bounds"]["verdict"] == "reproduced"
    assert findings["ranking/burst-sharegpt-mean"]["verdict"] == "undecided"  # no such trace here
    looks = looks_of([policy.label for policy in bursts.policies])
    figure = served_figures.policy_bars(
        tables["burst"],
        "latency_mean",
        label="s/token",
        looks=looks,
        published=published.table_1(),
    )
    titles = [axes.get_title() or axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["LMSYS, 8B", "LMSYS, 70B"]
    columns = ["latency_mean", "latency_p90"]
    beside = published.beside(tables["burst"], published.table_1(), columns)
    assert beside.loc[("8B", "LMSYS", "FCFS"), "latency_mean, published"] == 1.73


def test_a_batch_beyond_its_bounds_is_noticed():
    batches = pd.DataFrame(
        {
            "prefill_tokens": [700, 700, 0, 0],
            "decode_tokens": [68, 69, 256, 257],
            "requests": [69, 70, 256, 257],
            "used_blocks": [100, 50, 101, 1],
        }
    )
    assert burst.within_bounds(batches, 101) == 0.5
    assert burst.within_bounds(batches, 100) == 0.25


def test_recorded_arrivals_keep_their_bursts_at_any_rate():
    if "SCHEDLAB_DATA_MIRROR" not in os.environ:
        pytest.skip("recorded arrivals need SCHEDLAB_DATA_MIRROR")
    for name in arrivals.RECORDED:
        times = arrivals.arrival_times(name, 500, 8.0, seed=1)
        assert (np.diff(times) >= 0).all()
        assert 499 / times[-1] == pytest.approx(8.0)
        gaps = np.diff(times) * 8.0
        assert not np.allclose(gaps, np.diff(arrivals.arrival_times(name, 500, 8.0, seed=2)) * 8.0)
    with pytest.raises(ValueError, match="arrivals, 99999999 were asked for"):
        arrivals.arrival_times("azure2023-code", 99_999_999, 8.0, seed=1)


def test_random_arrivals_come_at_the_rate():
    times = arrivals.arrival_times("poisson", 4000, 8.0, seed=1)
    assert 4000 / times[-1] == pytest.approx(8.0, rel=0.05)


def test_swapping_costs_those_who_swap(bursts):
    scarce = bursts.machine.model_copy(update={"blocks": 150})
    table = burst.swap_costs(bursts.model_copy(update={"machine": scarce, "seeds": [1]}))
    latency = table.pivot_table(index="scheduler", columns="swap_block_s", values="latency_mean")
    moved = table.groupby("scheduler")["swapped_blocks"].min()
    assert moved[labels.MLFQ] > 0
    assert latency.loc[labels.MLFQ].is_monotonic_increasing
    assert set(latency.index) == {labels.MLFQ, labels.PERCEPTION, labels.RANKING, labels.SRTF}


def test_rates_tables_carry_their_claims_and_figures():
    one = {"LMSYS": SECTIONS["rates"]["all"]["traces"]["LMSYS"]}
    parameters = small("rates", RatesParameters, traces=one, seeds=[1, 2], arrivals_s=4)
    tables = {"rates": rates.rate_sweep(parameters), "starvation": rates.starvation(parameters)}
    tables["queue_depth"] = rates.queue_depth(parameters, tables["rates"])
    depth = tables["queue_depth"].set_index(["slots", "rate", "seed"])
    assert set(depth.index.get_level_values("slots")) == {4, 256}
    assert depth.loc[(256, 2.0, 1), "queue"] == 0.0
    assert depth.loc[(4, 8.0, 1), "queue"] > 0
    assert depth.loc[256]["gain"].to_numpy() == pytest.approx(1.0, abs=0.05)
    arms = tables["starvation"].groupby("scheduler", sort=False)["promote_after"].first()
    assert arms.to_dict() == {"FCFS": 0, "Ranking": 0, "Ranking, T = 20, q = 10": 20}
    ledger.evaluate(rates_claims(), tables, "smoke")
    looks = looks_of([policy.label for policy in parameters.policies])
    assert rates_figures.starvation_pareto(tables["starvation"], looks).axes
    assert rates_figures.gain_by_queue(tables["queue_depth"]).axes


def test_a_dial_turns_tau_and_a_shape_does_not():
    parameters = small("worth", WorthParameters, requests=400, seeds=[1])
    drawn = {kind: [] for kind in ("copula", *worth.ENDS)}
    for kind, dial in (("copula", 1.0), ("shortest", 0.7), ("longest", 0.7)):
        drawn[kind] = worth.measure_dial(
            parameters.machine.model_dump(), parameters.lengths, 400, kind, dial, 1
        )
    assert drawn["copula"]["tau_measured"] == pytest.approx(1.0, abs=1e-3)
    for end in worth.ENDS:
        assert drawn[end]["tau_measured"] == pytest.approx(1 - 0.7**2, abs=0.04)
    assert drawn["shortest"]["latency_mean"] > drawn["longest"]["latency_mean"]


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    rows = pd.DataFrame(
        {
            "seed": np.repeat([1, 2], 40),
            "prompt_tokens": rng.integers(1, 1500, 80),
            "output_tokens": rng.integers(1, 3000, 80),
        }
    )
    perfect = rows.assign(ranker="ListMLE", score=-rows["output_tokens"].astype("float32"))
    return pd.concat([perfect, rows.assign(ranker="Constant", score=np.float32(0))])


def test_trained_rankers_serve_what_they_scored(scores):
    parameters = small("worth", WorthParameters, rankers=["ListMLE", "Constant"])
    real = worth.end_to_end(parameters, scores)
    tau = real.groupby("scheduler")["tau_measured"].mean()
    assert (tau["ListMLE"], tau["Constant"]) == (
        pytest.approx(1.0, abs=0.05),
        0.0,
    )  # cut lengths tie
    assert real.groupby("seed")["requests"].nunique().eq(1).all()
    assert (real["requests"] < 40).all()  # filtered
    assert worth_figures.end_to_end_bars(real).axes
    tables = {"real": real, "dial": worth.tau_dial(parameters)}
    tables["shapes"] = worth.error_shapes(parameters)
    ledger.evaluate(worth_claims(), tables, "smoke")
    bounds = worth.bounds(parameters)
    figure = worth_figures.latency_by_tau(
        tables["dial"], tables["shapes"], bounds, published.FIGURE_2B
    )
    assert figure.axes


def test_scores_that_are_missing_are_named(scores, tmp_path):
    parameters = small("worth", WorthParameters, rankers=["Oracle"])
    with pytest.raises(ValueError, match="'Oracle' was not trained; there are ListMLE, Constant"):
        worth.end_to_end(parameters, scores)
    with pytest.raises(FileNotFoundError, match="dvc repro ranking@training"):
        worth.trained_scores(str(tmp_path))


def test_ranks_inside_slai_are_measured_beside_both_alone():
    parameters = small("slai", SlaiParameters, requests=25, seeds=[1, 2])
    table = slai.ranks_inside_slai(parameters)
    assert len(table) == 2 * len(parameters.schedulers) * 2
    assert table["attainment"].between(0, 1).all()
    assert (table["waiting_max_s"] >= table["waiting_p99_s"]).all()
    limits = {"paying": 0.1, "free": 0.5}
    by_load = {name: load.rates for name, load in parameters.loads.items()}
    findings = ledger.evaluate(slai_claims(by_load, limits), {"slai": table}, "smoke")
    assert len(findings) == 12
    assert len(slai_figures.against_load(table).axes) == 4


def test_estimators_pair_within_a_seed():
    table = pd.DataFrame(
        [("FCFS", 1, 4.0), ("FCFS", 2, 9.0), ("Ranking", 2, 3.0), ("Ranking", 1, 2.0)],
        columns=["scheduler", "seed", "latency_mean"],
    ).assign(trace="LMSYS")
    tables = {"burst": table}
    quotient = served.ratio("latency_mean", "FCFS", "Ranking", table="burst", trace="LMSYS")
    assert quotient(tables) == [2.0, 3.0]
    other = served.value("latency_mean", "Ranking", table="burst")
    assert served.worst([quotient, other])(tables) == [2.0, 3.0]
    assert served.worst([quotient, other], min)(tables) == [2.0, 3.0]
    with pytest.raises(CannotTell, match="no burst with"):
        served.ratio("latency_mean", "FCFS", "Ranking", table="burst", trace="Azure")(tables)
    assert farthest_from_one((0.7, 1.2)) == 0.7


def test_order_is_asked_of_every_run_of_a_seed():
    names = {labels.SRTF: 1.0, labels.RANKING: 2.0, labels.FCFS: 3.0}
    rows = [
        {"seed": seed, "model": "8B", "trace": trace, "scheduler": name, "latency_mean": value}
        for seed in (1, 2)
        for trace in ("ShareGPT", "LMSYS")
        for name, value in names.items()
    ]
    rows[2]["latency_mean"] = 1.5  # FCFS beats ranking once
    assert ordered({"burst": pd.DataFrame(rows)}) == [0.0, 1.0]


def test_gain_without_a_queue_needs_runs_without_one():
    table = pd.DataFrame({"seed": [1, 1, 2], "queue": [0.2, 0.9, 0.0], "gain": [1.01, 0.9, 1.0]})
    assert gain_without_queue({"queue_depth": table}) == [0.9, 1.0]
    with pytest.raises(CannotTell):
        gain_without_queue({"queue_depth": table.assign(queue=5.0)})


def test_the_papers_tables_say_what_its_text_says():
    one, two = published.table_1(), published.table_2()
    p90 = one.set_index(["model", "trace", "scheduler"])["latency_p90"]["8B"]["LMSYS"]
    assert p90[labels.PERCEPTION] / p90[labels.RANKING] == pytest.approx(2.8, abs=0.05)
    first_s = two.set_index(["model", "trace", "scheduler"])["first_s"]["8B"]["LMSYS"]
    assert first_s[labels.FCFS] / first_s[labels.RANKING] == pytest.approx(6.5, abs=0.05)
    assert published.table_4()["share"].max() == pytest.approx(0.0169, abs=1e-4)
    at = published.figure_3().set_index(["trace", "rate", "scheduler"])["latency_mean"]
    assert at["LMSYS", 64, "FCFS"] / at["LMSYS", 64, "Ranking"] == pytest.approx(7.2, abs=0.05)
