"""What must hold of real kernels, whatever the schedule."""

from schedlab.lab.claims import Claim
from schedlab.microcontrollers.claims.estimators import CODE, of


def kernel_claims() -> list[Claim]:
    """Return the claims of the notebook that compiles networks and runs their kernels."""
    return [
        Claim(
            id="microcontrollers/same-output-for-any-schedule",
            sentence="The output does not depend on order, number of cores or scheduler: every "
            "byte equals that of IREE's own runtime",
            source=f"{CODE}: the workgroups of a dispatch are independent",
            estimator=of("equality", "equal", "min"),
            unit="of runs",
            holds_from=1.0,
            holds_to=1.0,
            figure="grids",
        ),
        Claim(
            id="microcontrollers/kernels-compute-the-integers",
            sentence="Compiled int8 kernels give the very scores that integer arithmetic gives",
            source="check of our front end against numpy",
            estimator=of("trained", "exact", "min"),
            unit="of test digits",
            holds_from=1.0,
            holds_to=1.0,
            figure="grids",
        ),
    ]
