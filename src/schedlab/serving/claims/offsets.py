"""What can be said of SLAI's offset and of user priority."""

from schedlab.lab.claims import Claim, Estimator
from schedlab.serving.claims.estimators import on_tables, relative_change, worst_tbt
from schedlab.serving.claims.labels import OFFSET, SARATHI_FCFS, SARATHI_SPF, SLAI, SLAI_PRIORITY


def offset_claims(limits_s: dict[str, float], blocks: int, scarce_blocks: int) -> list[Claim]:
    """Return what can be said of SLAI's offset and of user priority.

    The paper's own text on the offset was not found; two readers report it, and what they report
    is asked here without a figure.

    Parameters
    ----------
    limits_s
        TBT limit of each class of users, s.
    blocks, scarce_blocks
        KV-cache blocks of the two machines.
    """
    source = "discussion of the offset, as readers of the paper report it"

    def change(metric: str, treated: str, baseline: str, **where: object) -> Estimator:
        return on_tables(relative_change, metric, treated, baseline, **where)

    upward = {"unit": "relative", "holds_from": 0.0, "null": 0.0}
    return [
        Claim(
            id="serving/larger-offset-raises-ttft",
            sentence="A larger offset favours decodes: from 5 to 20 the median TTFT rises",
            source=source,
            estimator=change(
                "ttft_p50_s", OFFSET.format(20), OFFSET.format(5), table="offsets", blocks=blocks
            ),
            figure="offset-ttft",
            **upward,
        ),
        Claim(
            id="serving/no-offset-breaks-tbt",
            sentence="Without an offset the 99th percentile of TBT of free users exceeds "
            f"{limits_s['free']:g} s",
            source=source,
            estimator=on_tables(
                worst_tbt, "free", (OFFSET.format(0),), table="offsets", blocks=blocks
            ),
            unit="s",
            holds_from=limits_s["free"],
            figure="offset-tbt",
        ),
        Claim(
            id="serving/large-offset-is-sarathi",
            sentence="With an offset of 20 nearly every decode is due at once: SLAI's mean TTFT is "
            "Sarathi-Serve's with shortest prompts first, to 1 %",
            source="consequence of eq. (8)",
            estimator=change(
                "ttft_mean_s", OFFSET.format(20), SARATHI_SPF, table="offsets", blocks=blocks
            ),
            unit="relative",
            holds_from=-0.01,
            holds_to=0.01,
            figure="offset-ttft",
        ),
        Claim(
            id="serving/over-deferral",
            sentence="With scarce memory a small offset holds blocks so long that the mean TTFT "
            "exceeds Sarathi-Serve's",
            source=source,
            estimator=change(
                "ttft_mean_s", OFFSET.format(0), SARATHI_FCFS, table="offsets", blocks=scarce_blocks
            ),
            figure="offset-ttft",
            **upward,
        ),
        _priority_claim(),
    ]


def _priority_claim() -> Claim:
    return Claim(
        id="serving/priority-serves-paying-users",
        sentence="User priority lowers the paying users' median TTFT near capacity",
        source="median TTFT of paying users against load (figure)",
        estimator=on_tables(
            relative_change, "ttft_p50_s", SLAI_PRIORITY, SLAI, table="priority", users="paying"
        ),
        unit="relative",
        holds_to=0.0,
        null=0.0,
        figure="priority",
    )
