"""What is claimed of NAO under other schedulers, of few steps, and of memory."""

from collections.abc import Sequence

import pandas as pd

from schedlab.diffusion.claims.budget import against_ddim, best_against_ddim, errors_at
from schedlab.lab.claims import CannotTell, Claim, Estimator, Tables

NAO = "NAO, supplement, section I (not seen): the method under other schedulers"
FEW = "Lu et al. 2022; Liu et al. 2022"
DDIM = "Song, Meng and Ermon 2021, section 4.1: eta = 0 makes sampling deterministic"


def section_one_claims() -> list[Claim]:
    """Return the claims of the stage."""
    return [*_gap_claims(), *_few_step_claims(), *_memory_claims()]


def _gap_claims() -> list[Claim]:
    return [
        Claim(
            id="diffusion/nao-under-every-deterministic-scheduler",
            sentence="Under every deterministic scheduler that with 20 evaluations is as accurate "
            "as DDIM, images from the middle of a line are at least twice as far from real ones as "
            "from the middle of a NAO path",
            source=NAO,
            estimator=least_gap,
            unit="times",
            holds_from=2.0,
            null=1.0,
            figure="gaps",
            reconstruction=True,
        ),
        Claim(
            id="diffusion/no-gap-under-stochastic-schedulers",
            sentence="Under DDPM and Euler ancestral the gap between line and NAO path is gone, "
            "to 1 %",
            source=NAO,
            estimator=stochastic_gap,
            unit="relative",
            holds_to=0.01,
            figure="gaps",
            reconstruction=True,
        ),
    ]


def _few_step_claims() -> list[Claim]:
    below = {"source": FEW, "unit": "of DDIM's error", "null": 1.0, "figure": "few-steps"}
    return [
        Claim(
            id="diffusion/multistep-halves-the-error-on-digits",
            sentence="On the learned model, with 20 evaluations, some multistep solver has at most "
            "half of DDIM's error",
            estimator=best_against_ddim("few_steps", 20),
            holds_to=0.5,
            **below,
        ),
        Claim(
            id="diffusion/heun-fails-at-few-evaluations-on-digits",
            sentence="On the learned model, with 5 evaluations, Heun's method is worse than DDIM",
            estimator=against_ddim("Heun", "few_steps", 5),
            holds_from=1.0,
            **below,
        ),
        Claim(
            id="diffusion/plms-fails-at-few-evaluations-on-digits",
            sentence="On the learned model, with 5 evaluations, PLMS is worse than DDIM",
            estimator=against_ddim("PLMS", "few_steps", 5),
            holds_from=1.0,
            **below,
        ),
    ]


def _memory_claims() -> list[Claim]:
    forgotten = {"source": DDIM, "unit": "of the sample forgets its seed", "figure": "memory"}
    return [
        Claim(
            id="diffusion/deterministic-ddim-remembers",
            sentence="With η = 0 the seed alone decides DDIM's sample",
            estimator=at_eta(0.0),
            holds_from=0.0,
            holds_to=0.0,
            **forgotten,
        ),
        Claim(
            id="diffusion/half-stochastic-ddim-forgets-nearly-all",
            sentence="With η = 0.5 nine tenths of the sample are the scheduler's own noise",
            estimator=at_eta(0.5),
            holds_from=0.85,
            holds_to=1.0,
            **forgotten,
        ),
        Claim(
            id="diffusion/stochastic-ddim-forgets-all",
            sentence="With η = 1 the sample knows nothing of its seed",
            estimator=at_eta(1.0),
            holds_from=0.98,
            holds_to=1.02,
            **forgotten,
        ),
    ]


BUDGET = 20  # evaluations at which paths are compared
AS_ACCURATE = 1.1  # times DDIM's error


def _ratios(tables: Tables, stochastic: bool) -> pd.Series:
    """Return LERP's distance over NAO's, by scheduler and seed."""
    table = tables["gaps"]
    kept = table[table["stochastic"] == stochastic]
    if kept.empty:
        raise CannotTell("no such scheduler is in the list")
    wide = kept.pivot_table(index=["scheduler", "seed"], columns="method", values="frechet")
    return wide["LERP"] / wide["NAO"]


def least_gap(tables: Tables) -> Sequence[float]:
    """Return, by seed, the smallest ratio over deterministic schedulers as accurate as DDIM."""
    errors = errors_at(tables, "few_steps", BUDGET).mean()
    accurate = errors.index[errors <= AS_ACCURATE * errors["DDIM"]]
    ratios = _ratios(tables, stochastic=False)
    kept = ratios[ratios.index.get_level_values("scheduler").isin(accurate)]
    return kept.groupby("seed").min().to_list()


def stochastic_gap(tables: Tables) -> Sequence[float]:
    """Return, by seed, the largest relative difference over stochastic schedulers."""
    return (_ratios(tables, stochastic=True) - 1).abs().groupby("seed").max().to_list()


def at_eta(eta: float) -> Estimator:
    """Return an estimator of what DDIM forgets at a share of randomness."""

    def values(tables: Tables) -> Sequence[float]:
        table = tables["memory"]
        found = table[table["eta"] == eta]["forgotten"]
        if found.empty:
            raise CannotTell(f"no run with η = {eta:g}")
        return found.to_list()

    return values
