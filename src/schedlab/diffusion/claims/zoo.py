"""What holds of the scheduler classes, and of a small budget."""

from collections.abc import Sequence

from schedlab.diffusion.claims.budget import against_ddim, best_against_ddim
from schedlab.lab.claims import CannotTell, Claim, Estimator, Tables

EQUAL = 1e-5  # relative, the precision of float32


def zoo_claims() -> list[Claim]:
    """Return the claims of the stage."""
    return [*_parity_claims(), *_identity_claims(), *_budget_claims()]


def _parity_claims() -> list[Claim]:
    none = {"unit": "combinations", "holds_from": 0.0, "holds_to": 0.0, "figure": "parity"}
    return [
        Claim(
            id="diffusion/parity",
            sentence="Every class steps as the installed diffusers' does, to 1e-5, once rounding "
            "of diffusers' own coefficients is taken away",
            source="diffusers 0.42.1",
            estimator=combinations_apart,
            **none,
        ),
        Claim(
            id="diffusion/parity-as-installed",
            sentence="At least nine in ten combinations agree to 1e-5 with diffusers as installed, "
            "whose coefficients are single precision",
            source="diffusers 0.42.1",
            estimator=share_as_installed,
            unit="of combinations",
            holds_from=0.9,
            figure="parity",
        ),
    ]


def _identity_claims() -> list[Claim]:
    same = {"unit": "relative", "holds_to": EQUAL}
    return [
        Claim(
            id="diffusion/first-order-solvers-are-ddim",
            sentence="On one grid Euler, DPM-Solver 1, DPM-Solver++ 1, DEIS 1 and UniPC's "
            "predictor of order 1 give DDIM's samples",
            source="Lu et al. 2022, section 4.1; Karras et al. 2022, appendix C.4",
            estimator=within_groups("to the data", "to the last noise"),
            **same,
        ),
        Claim(
            id="diffusion/ddpm-is-ddim-with-eta-one",
            sentence="Given the same noise, DDPM and Euler ancestral give DDIM's samples at η = 1",
            source="Song, Meng and Ermon 2021, section 4.1",
            estimator=within_groups("with noise"),
            **same,
        ),
    ]


def _budget_claims() -> list[Claim]:
    below = {"unit": "of DDIM's error", "figure": "error-by-budget"}
    return [
        Claim(
            id="diffusion/multistep-halves-the-error",
            sentence="With 20 evaluations some multistep solver has at most half of DDIM's error",
            source="Lu et al. 2022; Zhang and Chen 2023",
            estimator=best_against_ddim("budget", 20),
            holds_to=0.5,
            null=1.0,
            **below,
        ),
        Claim(
            id="diffusion/heun-fails-at-few-evaluations",
            sentence="With 6 evaluations Heun's method is worse than DDIM",
            source="Lu et al. 2022, on single-step solvers of high order at few evaluations",
            estimator=against_ddim("Heun", "budget", 6),
            holds_from=1.0,
            null=1.0,
            **below,
        ),
        Claim(
            id="diffusion/plms-fails-at-few-evaluations",
            sentence="With 6 evaluations PLMS is worse than DDIM",
            source="Liu et al. 2022, on pseudo methods at few steps",
            estimator=against_ddim("PLMS", "budget", 6),
            holds_from=1.0,
            null=1.0,
            **below,
        ),
        *_trap_claims(),
    ]


def _trap_claims() -> list[Claim]:
    label = "DPM-Solver++ {}, uniform time to σ min"
    return [
        Claim(
            id=f"diffusion/twenty-steps-worse-than-ten-{order.lower()}",
            sentence=f"DPM-Solver++ {order} on uniform timesteps down to σ min errs more with 20 "
            "steps than with 10, as its guard of low order at the end stops at 15",
            source="diffusers 0.42.1, lower_order_final",
            estimator=twenty_over_ten(label.format(order)),
            unit="of the error with 10 steps",
            holds_from=low,
            null=1.0,
            figure="guard",
        )
        for order, low in (("2M", 1.0), ("3M", 2.0))
    ]


def combinations_apart(tables: Tables) -> Sequence[float]:
    """Count, by seed, the combinations that differ beyond single precision."""
    table = tables["parity"][tables["parity"]["defined"]]
    apart = ~(table["in_double"] <= EQUAL) | ~table["grid_equal"]
    return apart.groupby(table["seed"]).sum().to_list()


def share_as_installed(tables: Tables) -> Sequence[float]:
    """Return, by seed, the share of combinations that agree without further ado."""
    table = tables["parity"][tables["parity"]["defined"]]
    return (table["relative"] <= EQUAL).groupby(table["seed"]).mean().to_list()


def within_groups(*groups: str) -> Estimator:
    """Return an estimator of the largest distance within groups of equal solvers."""

    def values(tables: Tables) -> Sequence[float]:
        table = tables["identities"]
        return table[table["group"].isin(groups)].groupby("seed")["relative"].max().to_list()

    return values


def twenty_over_ten(label: str) -> Estimator:
    """Return an estimator of the error with 20 steps over that with 10."""

    def values(tables: Tables) -> Sequence[float]:
        table = tables["budget"]
        found = table[table["scheduler"] == label].pivot_table(
            index="seed", columns="nfe", values="rmse"
        )
        if not {10, 20} <= set(found):
            raise CannotTell(f"no runs of {label!r} with 10 and 20 steps")
        return (found[20] / found[10]).to_list()

    return values
