"""What scheduling should do where some tasks are noisy: claims of two stages, by world."""

import re
from collections.abc import Iterable

from schedlab.lab.claims import Claim
from schedlab.metalearning import names
from schedlab.metalearning.claims.estimators import (
    SOURCE,
    lead,
    lead_of_best,
    noisy_among_selected,
    rank_correlation,
    unmeasured,
)

WHEN = {"reconstruction": True, "scales": ("laptop", "paper")}
GET = {
    "fsmol": "add fsmol to metalearning.regression.laptop.worlds in params.yaml, run python -m "
    "schedlab.data fetch fsmol-ecfp1024, then dvc repro metalearning@regression",
    "omniglot": "set world: use: omniglot in metalearning.characters.laptop of params.yaml, run "
    "python -m schedlab.data fetch omniglot-small-28, then dvc repro metalearning@characters",
}
HELD_TO = {"characters": 6, "omniglot": 3, "sinusoids": 6, "fsmol": 6}  # paired seeds
TASKS = {
    "characters": "letters with noisy labels",
    "omniglot": "Omniglot with 80 % noisy tasks",
    "sinusoids": "corrupted sine curves",
    "fsmol": "FS-Mol with 60 % corrupted assays",
}
UNITS = {"characters": "accuracy", "omniglot": "accuracy", "sinusoids": "MSE", "fsmol": "R²"}


def noise_claims(world: str) -> list[Claim]:
    """Return what a comparison under noise can decide.

    Parameters
    ----------
    world
        One of the keys of :data:`TASKS`; the tables hold it under this name.
    """
    where, unit = TASKS[world], UNITS[world]
    common = {
        "source": f"{SOURCE}; on {where}, not the paper's data",
        "min_seeds": HELD_TO[world],
        "decide_with": GET.get(world, ""),
        **WHEN,
    }
    return [
        Claim(
            id=f"metalearning/{world}-beats-uniform",
            sentence=f"On {where} ATS ends above uniform sampling",
            estimator=lead(names.ATS, names.UNIFORM, world),
            unit=unit,
            holds_from=0.05 if world == "omniglot" else 0.0,
            null=0.0,
            figure=f"scores-{world}",
            **common,
        ),
        Claim(
            id=f"metalearning/{world}-noisy-selected",
            sentence=f"On {where} ATS selects noisy tasks at most three quarters as often as "
            "their share of the candidates",
            estimator=noisy_among_selected(names.ATS, world),
            unit="of their share",
            holds_to=0.75,
            null=1.0,
            figure=f"dynamics-{world}",
            **common,
        ),
        *_preferences(world, common),
        *_near_oracle(world, common),
        Claim(
            id=f"metalearning/{world}-beats-self-paced",
            sentence=f"On {where} ATS ends above self-paced learning",
            estimator=lead(names.ATS, names.SELF_PACED, world),
            unit=unit,
            holds_from=0.0,
            null=0.0,
            figure=f"scores-{world}",
            **common,
        ),
        Claim(
            id=f"metalearning/{world}-beats-every-heuristic",
            sentence=f"On {where} ATS ends above the best of the heuristics",
            estimator=lead_of_best(names.ATS, names.HEURISTICS, world),
            unit=unit,
            holds_from=0.0,
            null=0.0,
            figure=f"scores-{world}",
            **common,
        ),
    ]


def _preferences(world: str, common: dict) -> list[Claim]:
    where = TASKS[world]
    return [
        Claim(
            id=f"metalearning/{world}-prefers-low-loss",
            sentence=f"On {where} tasks of higher loss get lower probability",
            estimator=rank_correlation("loss", names.ATS, world),
            unit="rank correlation",
            holds_to=0.0,
            null=0.0,
            figure=f"preferences-{world}",
            **common,
        ),
        Claim(
            id=f"metalearning/{world}-prefers-similar-gradients",
            sentence=f"On {where} tasks with more similar gradients get higher probability",
            estimator=rank_correlation("similarity", names.ATS, world),
            unit="rank correlation",
            holds_from=0.0,
            null=0.0,
            figure=f"preferences-{world}",
            **common,
        ),
    ]


def _near_oracle(world: str, common: dict) -> list[Claim]:
    """Return the claim where its limit has a meaning: for accuracy and R²."""
    if UNITS[world] == "MSE":
        return []
    where = TASKS[world]
    return [
        Claim(
            id=f"metalearning/{world}-near-oracle",
            sentence=f"On {where} ATS ends at most 0.02 below an oracle, which takes clean "
            "tasks only",
            estimator=lead(names.ATS, names.ORACLE, world),
            unit=UNITS[world],
            holds_from=-0.02,
            figure=f"scores-{world}",
            **common,
        ),
    ]


def headline_claims() -> list[Claim]:
    """Return what the abstract states in numbers, for data that everybody has to get alone."""
    return [
        _headline("miniimagenet", 0.13, "miniImageNet", "images", "characters"),
        _headline("drug", 0.18, "its drug assays (pQSAR)", "assays", "regression"),
    ]


def _headline(name: str, published: float, data: str, use: str, stage: str) -> Claim:
    return Claim(
        id=f"metalearning/{name}-headline",
        sentence=f"On {data} ATS improves on the best task scheduler so far by up to "
        f"{100 * published:.0f} %, relative, under noise or a limited budget",
        source="abstract, which says up to",
        estimator=unmeasured(f"the run has not seen {data}, which nobody may hand on"),
        published=published,
        unit="relative",
        holds_from=0.0,
        null=0.0,
        decide_with=f"write the data as {use} (schedlab.metalearning.tasks) to an .npz, give it as "
        f"world: use: {use}, path: FILE to metalearning.{stage}.paper in params.yaml, set scale: "
        f"paper, then dvc repro metalearning@{stage}, and compare final scores",
        scales=("paper",),
    )


def own_claims(labels: Iterable[str], world: str, figure: str) -> list[Claim]:
    """Return a row for each scheduler of one's own: it against uniform sampling."""
    return [
        Claim(
            id=f"metalearning/own-{world}-{_slug(label)}",
            sentence=f"{label} ends above uniform sampling on {TASKS[world]}",
            source="not published: a scheduler of one's own",
            estimator=lead(label, names.UNIFORM, world),
            unit=UNITS[world],
            holds_from=0.0,
            null=0.0,
            figure=figure,
        )
        for label in labels
        if label not in names.PUBLISHED
    ]


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
