"""What ``params.yaml`` may say about the chart of information."""

from typing import Annotated

from pydantic import Field, PositiveInt

from schedlab.lab.parameters import Parameters


class ChartParameters(Parameters):
    """Where to read the tables that have a dial.

    Attributes
    ----------
    evaluations
        Network evaluations of the diffusion solvers, one of ``budgets`` of ``diffusion.zoo``.
    slow_speed
        Speed of the slower core, one of ``slow_speeds`` of ``microcontrollers.sweeps``.
    level
        Level of the intervals over seeds.
    """

    evaluations: PositiveInt
    slow_speed: Annotated[float, Field(gt=0, le=1)]
    level: Annotated[float, Field(gt=0, lt=1)]


MODELS = {"chart": ChartParameters}
"""Parameter model of each stage."""
