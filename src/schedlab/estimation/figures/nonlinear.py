"""Figures of the nonlinear plants."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.estimation.experiment.nonlinear import BLIND, POLICIES
from schedlab.lab.figures import bars, canvas, looks_of

LOOKS = looks_of(POLICIES)
TITLES = {"van_der_pol": "Van der Pol", "lorenz": "Lorenz"}


def nonlinear_costs(costs: pd.DataFrame) -> Figure:
    """Draw costs relative to the scheduler learned for the plain prediction, a panel per plant.

    Parameters
    ----------
    costs
        Of :func:`schedlab.estimation.experiment.nonlinear.compare`.
    """
    systems = list(dict.fromkeys(costs["system"]))
    rows = -(-len(systems) // 2)
    figure, panels = canvas(rows, 2, height=2.2 * rows, squeeze=False)
    for axes, name in zip(panels.flat, systems, strict=False):
        part = costs[costs["system"] == name]
        base = part[part["policy"] == BLIND].set_index("seed")["cost"]
        shown = part.assign(relative=part["cost"] / base.loc[part["seed"]].to_numpy())
        bars(axes, shown, category="policy", value="relative", looks=LOOKS)
        if axes not in panels[:, 0]:
            axes.set_yticklabels([])
        axes.tick_params(axis="y", labelsize=8)
        axes.set_title(TITLES.get(name, name.replace("_", " ")))
    for axes in panels.flat[len(systems) :]:
        axes.set_axis_off()
    figure.supxlabel("cost over that of the scheduler learned for plain prediction", fontsize=9.5)
    return figure
