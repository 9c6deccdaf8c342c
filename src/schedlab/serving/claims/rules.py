"""Rules that hold for every single batch, as rows of the ledger."""

from functools import partial

from schedlab.lab.claims import Claim, Tables


def rule_claims() -> list[Claim]:
    """Return the deterministic rules of SLAI; a single exception breaks one."""
    common = {"unit": "of decisions", "holds_from": 1.0, "holds_to": 1.0}
    return [
        Claim(
            id="serving/slai-wastes-no-budget",
            sentence="Every batch of SLAI fills its token budget or leaves nobody out",
            source="Algorithm of SLAI; work conservation",
            estimator=partial(share, "conserving"),
            figure="batches",
            **common,
        ),
        Claim(
            id="serving/slai-decodes-when-due",
            sentence="SLAI decodes every request at the latest in the first batch after its last "
            "schedulable time",
            source="eq. (8)",
            estimator=partial(share, "on_time"),
            figure="batches",
            **common,
        ),
        Claim(
            id="serving/slai-all-critical-is-sarathi",
            sentence="With every decode critical and prompts first come first served, SLAI builds "
            "Sarathi-Serve's batches, one by one",
            source="consequence of the batch construction in the authors' code",
            estimator=partial(share, "equal"),
            figure="batches",
            **common,
        ),
    ]


def share(column: str, tables: Tables) -> list[float]:
    """Return a column of the rule checks, one value per seed."""
    return tables["rules"].sort_values("seed")[column].tolist()
