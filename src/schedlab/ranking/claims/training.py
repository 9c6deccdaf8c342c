"""What the paper claims of its predictor and of classifiers, and what training them says to it.

Figures are those of *Efficient LLM Scheduling by Learning to Rank* (arXiv 2408.15792), whose
predictor is OPT-125M or OPT-350M; ours is linear on TF-IDF unless `params.yaml` says otherwise.
That ranking beats regression is claimed nowhere here: on equal features it does not in general.
"""

import re
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from schedlab.lab.claims import CannotTell, Claim, Estimator, Tables

LISTMLE = "ListMLE"
TEN = "10 classes"
PERCENTILES = "10 percentile classes"
FIXED_WIDTH = (TEN, "Classes of 100", "Classes of 10", "Classes of 1")
"""Classifiers of fixed width, from the widest to the finest."""


def training_claims(own: Iterable[str]) -> list[Claim]:
    """Return the claims that the training stage can decide.

    Parameters
    ----------
    own
        Labels of rankers that are not published; each gets a row of its own.
    """
    return [
        *_order_claims(),
        *_class_claims(),
        *_training_claims(),
        *[_own_claim(label) for label in own],
    ]


def _order_claims() -> list[Claim]:
    return [
        Claim(
            id="ranking/listmle-tau",
            sentence="A linear ranker trained by ListMLE orders the answers to unseen ShareGPT "
            "prompts with a Kendall's tau of 0.28 or more",
            source="our bound for words as features; the paper has no such ranker",
            estimator=per_seed(lambda tau: tau[LISTMLE]),
            unit="tau",
            holds_from=0.28,
            null=0.0,
            figure="tau-by-ranker",
        ),
        Claim(
            id="ranking/listmle-tau-as-published",
            sentence="A ranker trained by ListMLE reaches the tau of the paper's OPT-125M",
            source="table 8 (answers of Llama-3-70B); here TF-IDF, answers of ChatGPT",
            estimator=per_seed(lambda tau: tau[LISTMLE]),
            published=0.55,
            unit="tau",
            holds_from=0.5,
            null=0.0,
            figure="tau-by-ranker",
        ),
        Claim(
            id="ranking/listmle-beats-ten-classes",
            sentence="ListMLE has a higher tau than ten classes of 820 tokens",
            source="table 3",
            estimator=per_seed(lambda tau: tau[LISTMLE] - tau[TEN]),
            published=0.54 - 0.24,
            unit="tau",
            holds_from=0.2,
            null=0.0,
            figure="tau-by-ranker",
        ),
        Claim(
            id="ranking/percentiles-beat-ten-classes",
            sentence="Ten classes of equal shares have a higher tau than ten of equal width: much "
            "of ranking's lead is over badly chosen classes",
            source="Sarkar and Fund, ACM REP 2026",
            estimator=per_seed(lambda tau: tau[PERCENTILES] - tau[TEN]),
            unit="tau",
            holds_from=0.0,
            null=0.0,
            figure="tau-by-ranker",
        ),
    ]


def _class_claims() -> list[Claim]:
    return [
        Claim(
            id="ranking/ten-classes-are-accurate",
            sentence="A classifier into ten classes of 820 tokens is nearly always right",
            source="table 3 (LMSYS; 0.851 on ShareGPT)",
            estimator=per_seed(lambda accuracy: accuracy[TEN], "accuracy"),
            published=0.968,
            unit="of prompts",
            holds_from=0.95,
            figure="accuracy-against-tau",
        ),
        Claim(
            id="ranking/finer-classes-are-less-accurate",
            sentence="Each finer division into classes is right less often",
            source="table 3",
            estimator=per_seed(_smallest_loss_of_accuracy, "accuracy"),
            unit="of prompts",
            holds_from=0.0,
            null=0.0,
            figure="accuracy-against-tau",
        ),
        Claim(
            id="ranking/accuracy-is-not-order",
            sentence="ListMLE has a higher tau than every classifier of fixed width, the accurate "
            "ones included",
            source="table 3 (smallest lead on ShareGPT: classes of 100)",
            estimator=per_seed(lambda tau: tau[LISTMLE] - tau[_given(tau, FIXED_WIDTH)].max()),
            published=0.54 - 0.49,
            unit="tau",
            holds_from=0.0,
            null=0.0,
            figure="accuracy-against-tau",
        ),
    ]


def _training_claims() -> list[Claim]:
    return [
        Claim(
            id="ranking/list-size-hardly-matters",
            sentence="The size of ListMLE's lists hardly matters: tau varies by 0.03 at most",
            source="table 5 (0.619 to 0.625 for lists of 8 to 128)",
            estimator=list_size_range,
            published=0.006,
            unit="tau",
            holds_to=0.03,
            figure="settings",
        ),
        Claim(
            id="ranking/loss-tells-tau",
            sentence="While ListMLE trains, tau rises as the loss falls: Pearson's correlation",
            source="table 6",
            estimator=loss_tau_correlation,
            published=-0.9,
            holds_to=-0.7,
            null=0.0,
            figure="learning-curve",
        ),
        Claim(
            id="ranking/transfer-costs-tau",
            sentence="A ranker does better on prompts of the kind it was trained on: tau, mean "
            "over sets, less that on the other sets",
            source="transfer between ShareGPT and LMSYS (0.05 to 0.22); here between prompt sets "
            "of params.yaml",
            estimator=transfer_loss,
            unit="tau",
            holds_from=0.0,
            null=0.0,
        ),
    ]


def _own_claim(label: str) -> Claim:
    slug = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
    return Claim(
        id=f"ranking/own-{slug}-tau",
        sentence=f"{label} has a higher tau than ListMLE",
        source="not published: a ranker of one's own",
        estimator=per_seed(lambda tau: tau[label] - tau[LISTMLE]),
        unit="tau",
        holds_from=0.0,
        null=0.0,
        figure="tau-by-ranker",
    )


def per_seed(measure: Callable[[pd.Series], float], column: str = "tau") -> Estimator:
    """Return an estimator over the table ``tau``: ``measure`` of a column by ranker, per seed."""

    def estimate(tables: Tables) -> list[float]:
        wide = tables["tau"].pivot_table(index="seed", columns="ranker", values=column)
        try:
            return [measure(row) for _, row in wide.iterrows()]
        except KeyError as missing:
            raise CannotTell(f"the run has no ranker labelled {missing}") from None

    return estimate


def _given(row: pd.Series, labels: Iterable[str]) -> list[str]:
    found = [label for label in labels if label in row.index]
    if len(found) < 2:
        raise CannotTell("the run has fewer than two classifiers of fixed width")
    return found


def _smallest_loss_of_accuracy(accuracy: pd.Series) -> float:
    return float(-np.diff(accuracy[_given(accuracy, FIXED_WIDTH)]).max())


def list_size_range(tables: Tables) -> list[float]:
    """Return, per seed, the largest less the smallest tau over list sizes."""
    settings = tables["settings"]
    tau = settings[settings["setting"] == "list_size"].groupby("seed")["tau"]
    return (tau.max() - tau.min()).tolist()


def loss_tau_correlation(tables: Tables) -> list[float]:
    """Return, per seed, Pearson's correlation of loss and tau over the learning curve."""
    curves = tables["curve"].groupby("seed")
    if (curves.size() < 3).any():
        raise CannotTell("the learning curve has fewer than three points")
    return [float(np.corrcoef(part["loss"], part["tau"])[0, 1]) for _, part in curves]


def transfer_loss(tables: Tables) -> list[float]:
    """Return, per seed, the mean tau on a ranker's own kind of prompts less that on others."""
    table = tables["transfer"]
    if table["trained_on"].nunique() < 2:
        raise CannotTell("params.yaml names one prompt set only under transfer_between")
    at_home = table["trained_on"] == table["tested_on"]
    means = [table[rows].groupby("seed")["tau"].mean() for rows in (at_home, ~at_home)]
    return (means[0] - means[1]).tolist()
