"""The figure of the noisy quadratic."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import canvas, curve, legend, looks_of, reference


def cooling(table: pd.DataFrame) -> Figure:
    """Draw learning rates on quadratics with a root, and beside them on the one without."""
    rows = table.assign(
        run=table["start"].map(lambda s: "no root" if pd.isna(s) else f"from {s:.2g} of the root"),
        relative=table["lr"] / table["resting_lr"].fillna(table["first_lr"]),
    )
    curvatures = list(dict.fromkeys(rows["curvature"]))
    figure, panels = canvas(1, len(curvatures), height=3.8, sharey=True)
    looks = looks_of(rows["run"])
    for axes, curvature in zip(panels, curvatures, strict=True):
        part = rows[rows["curvature"] == curvature]
        curve(axes, part, x="update", y="relative", hue="run", looks=looks)
        for line in axes.lines:
            line.set_marker("")
        axes.set(title=f"λ = {curvature:g}", xlabel="update")
        if part["resting_lr"].notna().all():
            reference(axes, 1.0, "closed form")
    panels[0].set_ylabel("learning rate / root (or start)")
    legend(figure)
    return figure
