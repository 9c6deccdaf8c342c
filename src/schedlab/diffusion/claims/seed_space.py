"""What the paper, its public code and later work say of norms, means and paths of seeds.

The tables of the NAO paper were not available, so no claim has a published number. Where a range
has a size, it is what an earlier and larger model of ours gave on the same digits.
"""

from collections.abc import Callable

import pandas as pd

from schedlab.lab.claims import Claim, Tables

PAPER = "abstract and Figure 1 (reconstruction; its tables were not seen)"
FIGURE = {"reconstruction": True}
Rows = pd.DataFrame


def seed_claims() -> list[Claim]:
    """Return the claims that the stage on seed space decides."""
    return [
        *_norm_claims(),
        *_middle_claims(),
        *_centroid_claims(),
        *_path_claims(),
        *_inversion_claims(),
    ]


def ratio(
    table: str, column: str, key: str, above: object, below: object, **where: object
) -> Callable:
    """Return an estimator: per seed, the measure at one value of ``key`` over that at another."""

    def measure(tables: Tables) -> list[float]:
        rows = tables[table]
        for name, value in where.items():
            rows = rows[rows[name] == value]
        top, bottom = (rows[rows[key] == at].set_index("seed")[column] for at in (above, below))
        return (top / bottom).tolist()

    return measure


def best_scale(tables: Tables) -> list[float]:
    """Return, per seed, the norm scale with the least Fréchet distance."""
    sweep = tables["norms"]
    return sweep.loc[sweep.groupby("seed")["frechet"].idxmin(), "scale"].tolist()


def worst_agreement(tables: Tables) -> list[float]:
    """Return, per seed, the largest distance of SLERP, NIN, LOL and NAO from the end points."""
    rows = (
        tables["midpoints"]
        .query("pairs == 'random'")
        .pivot_table(index="seed", columns="method", values="frechet")
    )
    others = rows[["SLERP", "NIN", "LOL", "NAO"]].div(rows["end points"], axis=0) - 1
    return others.abs().max(axis=1).tolist()


def excess(method: str, how: str) -> Callable[[Tables], list[float]]:
    """Return an estimator: per seed, the extreme of a path's cost over the optimum, minus 1."""

    def measure(tables: Tables) -> list[float]:
        rows = tables["paths"][tables["paths"]["method"] == method]
        over = rows["cost"] / rows["optimum"] - 1
        return over.abs().groupby(rows["seed"]).agg(how).tolist()

    return measure


def ordered(tables: Tables) -> list[float]:
    """Return, per seed, the share of pairs with cost NAO < SLERP < LERP."""
    costs = tables["paths"].pivot_table(
        index=["seed", "dimensions", "pair"], columns="method", values="cost"
    )
    right = (costs["NAO"] < costs["SLERP"]) & (costs["SLERP"] < costs["LERP"])
    return right.groupby("seed").mean().tolist()


def _norm_claims() -> list[Claim]:
    def worse(name: str, sentence: str, scale: float, at_least: float) -> Claim:
        return Claim(
            id=f"diffusion/{name}",
            sentence=sentence,
            source=PAPER,
            estimator=ratio("norms", "frechet", "scale", scale, 1.0),
            unit="times the distance at √d",
            holds_from=at_least,
            null=1.0,
            figure="norms",
            **FIGURE,
        )

    return [
        worse("short-seeds-worse", "Seeds of 0.707 √d give worse images", 0.707, 2.5),
        worse("shortest-seeds-worse", "Seeds of 0.3 √d give worse images", 0.3, 4.0),
        worse("long-seeds-worse", "Seeds of 1.5 √d give worse images", 1.5, 5.0),
        Claim(
            id="diffusion/best-norm",
            sentence="The best norm is the usual one, √d",
            source=PAPER,
            estimator=best_scale,
            unit="√d",
            holds_from=0.95,
            holds_to=1.15,
            figure="norms",
            **FIGURE,
        ),
        Claim(
            id="diffusion/short-seeds-flat",
            sentence="Short seeds (0.707 √d) give images of lower contrast",
            source=PAPER,
            estimator=ratio("norms", "contrast", "scale", 0.707, 1.0),
            unit="of the contrast at √d",
            holds_to=1.0,
            null=1.0,
            figure="norms",
            **FIGURE,
        ),
        Claim(
            id="diffusion/short-seeds-recognised",
            sentence="Yet their digits are recognised at least as often: accuracy is the wrong "
            "measure here",
            source="not published: what digits have and text-to-image has not",
            estimator=ratio("norms", "accuracy", "scale", 0.707, 1.0),
            unit="of the accuracy at √d",
            holds_from=1.0,
            figure="norms",
        ),
    ]


def _middle_claims() -> list[Claim]:
    return [
        Claim(
            id="diffusion/lerp-middle-worse",
            sentence="In the middle of two random seeds LERP is worse than NAO",
            source=PAPER,
            estimator=ratio("midpoints", "frechet", "method", "LERP", "NAO", pairs="random"),
            unit="times NAO's Fréchet distance",
            holds_from=2.5,
            null=1.0,
            figure="interpolation",
            **FIGURE,
        ),
        Claim(
            id="diffusion/nao-middle-better-than-slerp",
            sentence="In the middle of two random seeds NAO is better than SLERP",
            source=PAPER,
            estimator=ratio("midpoints", "frechet", "method", "SLERP", "NAO", pairs="random"),
            unit="times NAO's Fréchet distance",
            holds_from=1.0,
            null=1.0,
            figure="interpolation",
            **FIGURE,
        ),
        Claim(
            id="diffusion/norm-keeping-means-agree",
            sentence="SLERP, NIN, LOL and NAO stay within 20 % of the end points",
            source="public reviews of LOL (arXiv 2408.08558)",
            estimator=worst_agreement,
            unit="relative",
            holds_to=0.2,
            figure="interpolation",
            **FIGURE,
        ),
        Claim(
            id="diffusion/nao-worse-between-inverted",
            sentence="Between inverted images SLERP, which keeps their short norm, beats NAO",
            source="not published: follows from the norm of inverted seeds",
            estimator=ratio("midpoints", "frechet", "method", "NAO", "SLERP", pairs="inverted"),
            unit="times SLERP's Fréchet distance",
            holds_from=1.0,
            null=1.0,
            figure="interpolation",
        ),
    ]


def _centroid_claims() -> list[Claim]:
    return [
        Claim(
            id="diffusion/euclidean-centroid-worse",
            sentence="The Euclidean mean of many inverted images of a class is worse than NAO's "
            "centroid",
            source=PAPER,
            estimator=lambda tables: ratio(
                "centroids",
                "frechet",
                "method",
                "Euclidean",
                "NAO",
                size=int(tables["centroids"]["size"].max()),
            )(tables),
            unit="times NAO's Fréchet distance",
            holds_from=1.0,
            null=1.0,
            figure="centroids",
            **FIGURE,
        ),
    ]


def _path_claims() -> list[Claim]:
    return [
        Claim(
            id="diffusion/nao-cheapest-path",
            sentence="NAO's path costs less than SLERP's, and SLERP's less than LERP's, for every "
            "pair",
            source=PAPER,
            estimator=ordered,
            unit="of pairs",
            holds_from=1.0,
            figure="paths",
            **FIGURE,
        ),
        Claim(
            id="diffusion/nao-near-optimum",
            sentence="NAO's path is within 1 % of the exact optimum, for every pair",
            source="public code of NAO, against the planar optimum",
            estimator=excess("NAO", "max"),
            unit="relative",
            holds_to=0.01,
            figure="paths",
            **FIGURE,
        ),
    ]


def _inversion_claims() -> list[Claim]:
    def at(steps: int, method: str, column: str) -> Callable[[Tables], list[float]]:
        def measure(tables: Tables) -> list[float]:
            rows = tables["inversion"]
            return rows[(rows["steps"] == steps) & (rows["method"] == method)][column].tolist()

        return measure

    def gain(tables: Tables) -> list[float]:
        plain, better = (at(50, m, "rmse")(tables) for m in ("ddim", "fixed_point"))
        return [a / b for a, b in zip(plain, better, strict=True)]

    inverted = {"source": "public code of NAO and of its inversion companion (arXiv 2312.12540)"}
    return [
        Claim(
            id="diffusion/fixed-point-inverts",
            sentence="Three fixed-point rounds cut the round trip's error tenfold at 50 steps",
            estimator=gain,
            unit="times",
            holds_from=10.0,
            null=1.0,
            figure="inversion",
            **inverted,
            **FIGURE,
        ),
        Claim(
            id="diffusion/ddim-inversion-shrinks",
            sentence="Plain DDIM inversion gives norms below √d = 8 at 50 steps",
            estimator=at(50, "ddim", "norm"),
            unit="norm",
            holds_to=8.0,
            null=8.0,
            figure="inversion",
            **inverted,
            **FIGURE,
        ),
        Claim(
            id="diffusion/exact-inversion-grows",
            sentence="Exact inversion of a coarse sampler, 10 steps, leaves the shell outwards",
            estimator=at(10, "fixed_point", "norm"),
            unit="norm",
            holds_from=8.0,
            null=8.0,
            figure="inversion",
            **inverted,
            **FIGURE,
        ),
    ]
