from types import SimpleNamespace

import pandas as pd
import pytest

from schedlab.lab import claims as ledger
from schedlab.lab.claims import CannotTell
from schedlab.lab.figures import style
from schedlab.trainability.claims import indicators as indicator_claims
from schedlab.trainability.claims import quadratic as quadratic_claims
from schedlab.trainability.claims import random_labels as claims
from schedlab.trainability.figures import indicators as indicator_figures
from schedlab.trainability.figures import quadratic as quadratic_figures
from schedlab.trainability.figures import random_labels as figures
from schedlab.trainability.figures import streams as stream_figures
from schedlab.trainability.indicators import NAMES
from schedlab.trainability.labels import FINAL, RESET, SCHEDULED, VANILLA


def accuracy(**later: float) -> pd.DataFrame:
    """Return five seeds of two tasks: the first at 0.3, the second at what is given, by arm."""
    labels = {"vanilla": VANILLA, "reset": RESET, "scheduled": SCHEDULED, "final": FINAL}
    rows = [
        {"arm": labels[arm], "seed": seed, "task": task, "accuracy": value + 0.001 * seed}
        for arm, second in later.items()
        for seed in range(5)
        for task, value in ((1, 0.3), (2, second))
    ]
    return pd.DataFrame(rows)


def decisions(end: float, gradient_step: float = 1.0) -> pd.DataFrame:
    rows = [
        {"arm": SCHEDULED, "seed": seed, "task": 1, "layer": layer, "update": update}
        | {"lr": lr, "relative_lr": lr, "gradient_step": gradient_step, "critical_step": 0.8}
        | {"effective_step": 0.5, "curvature_step": 2.0}
        for seed in range(5)
        for layer in ("fc1", "fc2")
        for update, lr in ((0, 1.0), (20, end))
    ]
    return pd.DataFrame(rows)


def verdicts(method: str, table: pd.DataFrame, end: float, scale: str = "laptop"):
    tables = {"accuracy": table, "decisions": decisions(end)}
    found = ledger.evaluate(claims.random_label_claims(method), tables, scale)
    return {finding["id"].removeprefix(f"trainability/{method}-"): finding for finding in found}


def test_orders_and_ends_are_judged_as_measured():
    found = verdicts("l2", accuracy(vanilla=0.1, reset=0.2, scheduled=0.4, final=0.5), end=0.4)
    assert found["scheduled-above-vanilla"]["estimate"] == pytest.approx(0.3)
    assert found["scheduled-above-vanilla"]["verdict"] == "reproduced"
    assert found["reset-above-vanilla"]["estimate"] == pytest.approx(0.1)
    assert found["loses-trainability"]["estimate"] < 0.4
    assert found["first-layer-cools"]["verdict"] == "reproduced"
    assert found["control-final-steps"]["verdict"] == "not reproduced"
    assert found["formula-as-written"]["verdict"] == "undecided"  # that arm did not run
    assert "no arm" in found["formula-as-written"]["reason"]


def test_a_layer_that_cools_too_far_has_only_the_direction():
    table = accuracy(vanilla=0.1, reset=0.2, scheduled=0.4, final=0.5)
    found = verdicts("l2", table, end=0.1)["first-layer-cools"]
    assert found["verdict"] == "direction only"


def test_crelu_waits_for_the_papers_scale():
    table = accuracy(vanilla=0.1, reset=0.2, scheduled=0.4, final=0.5)
    found = verdicts("crelu", table, end=0.3)
    assert {finding["verdict"] for finding in found.values()} == {"undecided"}
    assert all("scale: paper" in finding["decide_with"] for finding in found.values())
    paper = verdicts("crelu", table, end=0.3, scale="paper")
    assert paper["scheduled-above-vanilla"]["verdict"] == "reproduced"


def test_a_missing_arm_cannot_be_compared():
    with pytest.raises(CannotTell, match="Reset at each task"):
        claims.difference(SCHEDULED, RESET)({"accuracy": accuracy(scheduled=0.4)})


def test_the_noise_floor_is_the_median_of_the_first_layer():
    assert claims.noise_floor({"decisions": decisions(0.5, gradient_step=1.04)}) == [1.04] * 5
    table = accuracy(vanilla=0.1, reset=0.2, scheduled=0.4, final=0.5)
    assert verdicts("l2", table, end=0.4)["noise-floor"]["verdict"] == "reproduced"


def test_without_a_regulariser_the_paper_shows_the_decline_alone():
    table = accuracy(vanilla=0.1, reset=0.2, scheduled=0.4)
    ((name, found),) = verdicts("plain", table, end=0.4).items()
    assert name == "loses-trainability"
    assert found["estimate"] == pytest.approx(1 / 3, abs=0.01)
    assert found["verdict"] == "reproduced"
    assert claims.random_label_claims("l2_init") == []


@pytest.mark.parametrize(
    ("method", "setting"),
    [
        ("plain", {}),
        ("l2", {"weight_decay": 1e-3}),
        ("crelu", {"activation": "crelu"}),
        ("wasserstein", {"penalty": "wasserstein"}),
    ],
)
def test_a_method_is_known_by_what_it_adds(method, setting):
    plain = {"weight_decay": 0.0, "activation": "relu", "penalty": ""}
    assert claims.method_of(SimpleNamespace(**(plain | setting))) == method


def cooling() -> pd.DataFrame:
    rows = [
        {"curvature": c, "start": s, "seed": seed, "update": u, "resting_lr": rest}
        | {"first_lr": first, "lr": first * (1 if u == 0 else end)}
        for c, s, rest, first, end in (
            (0.5, 1.5, 1.0, 1.5, 0.6),
            (0.5, 0.5, 1.0, 0.5, 1.0),
            (1.9, None, None, 1.0, 0.99),
        )
        for seed in range(3)
        for u in (0, 10)
    ]
    return pd.DataFrame(rows)


def test_quadratic_claims_take_each_run_where_it_ended():
    tables = {"cooling": cooling()}
    assert quadratic_claims.end_over_rest(tables) == pytest.approx([0.9] * 3)
    assert quadratic_claims.left_alone(tables) == pytest.approx([1.0] * 3)
    assert quadratic_claims.unnoticed(tables) == pytest.approx([0.99] * 3)
    found = ledger.evaluate(quadratic_claims.quadratic_claims(), tables, "smoke")
    assert [finding["verdict"] for finding in found] == ["reproduced"] * 3


def watched() -> pd.DataFrame:
    rows = []
    for method, sign in (("l2", 1.0), ("crelu", -1.0)):
        for seed in (1, 2):
            for task, value in enumerate((0.5, 0.4, 0.3), start=1):
                same = dict.fromkeys(NAMES, sign * value)
                rows.append(
                    {"method": method, "seed": seed, "task": task, "accuracy": value} | same
                )
    return pd.DataFrame(rows)


def test_an_indicator_that_turns_between_methods_explains_nothing():
    assert indicator_claims.best_single_cause({"indicators": watched()}) == [-1.0, -1.0]
    one_way = watched().assign(weight_norm=lambda t: -t["accuracy"])
    assert indicator_claims.best_single_cause({"indicators": one_way}) == pytest.approx([1.0, 1.0])
    constant = watched().assign(**dict.fromkeys(NAMES, 1.0))
    assert indicator_claims.best_single_cause({"indicators": constant}) == [0.0, 0.0]


def test_the_worst_method_counts_for_the_combined_bound():
    rows = watched()[["method", "seed", "task", "accuracy"]].assign(bound="combined")
    rows["predicted"] = rows["accuracy"].where(rows["method"] == "l2", -rows["accuracy"])
    assert indicator_claims.least_correlation({"predictions": rows}) == pytest.approx([-1.0, -1.0])


def test_figures_draw_every_arm_layer_and_stream():
    style()
    table = accuracy(vanilla=0.1, reset=0.2, scheduled=0.4, final=0.5)
    assert len(figures.accuracy_by_task(table).axes[0].lines) == 4
    assert len(figures.learning_rates(decisions(0.4)).axes[0].lines) == 2
    panels = figures.bounds_by_layer(decisions(0.4), seed=1).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["fc1", "fc2"]
    assert all(len(axes.lines) == 4 for axes in panels)
    assert len(quadratic_figures.cooling(cooling()).axes) == 2
    assert len(indicator_figures.scatter(watched()).axes) == 6
    predicted = pd.concat(
        [watched().assign(bound=b, predicted=0.4) for b in ("gradient", "curvature", "combined")]
    )
    assert len(indicator_figures.predictions(predicted).axes) == 3
    scores = table.rename(columns={"accuracy": "score"})
    both = pd.concat([scores.assign(stream=s) for s in ("shuffled_labels", "flipped_bits")])
    assert [axes.get_ylabel() for axes in stream_figures.by_stream(both).axes] == [
        "training accuracy",
        "squared error",
    ]
