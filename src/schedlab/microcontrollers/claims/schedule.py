"""Rules that Ariel's scheduler keeps, and what holds the two engines together."""

from schedlab.lab.claims import Claim
from schedlab.microcontrollers.claims.estimators import CODE, THEORY, of

FIGURE = "gantt"


def schedule_claims() -> list[Claim]:
    """Return the claims of the notebook that shows a schedule; exact, over all networks."""
    return [
        _always(
            "fifo-order",
            "Workgroups start in row-major order, but for races shorter than a hand-over",
            CODE,
            "row_major",
        ),
        _always(
            "barrier", "No workgroup starts before the dispatch ahead has ended", CODE, "barrier"
        ),
        _always(
            "work-conserving",
            "No core sleeps while a workgroup waits to be sent",
            CODE,
            "conserving",
        ),
        _always(
            "graham", "List schedules keep to Graham's bound in every dispatch", THEORY, "graham"
        ),
        Claim(
            id="microcontrollers/engines-agree",
            sentence="The fast engine's latency is that of the thread-by-thread model",
            source="our two engines",
            estimator=of("rules", "engines_differ", "max"),
            unit="relative",
            holds_to=0.02,
            figure=FIGURE,
        ),
    ]


def _always(name: str, sentence: str, source: str, column: str) -> Claim:
    return Claim(
        id=f"microcontrollers/{name}",
        sentence=sentence,
        source=source,
        estimator=of("rules", column, "min"),
        unit="share of dispatches",
        holds_from=1.0,
        figure=FIGURE,
    )
