"""The figure of the other streams."""

import pandas as pd
from matplotlib.figure import Figure

from schedlab.lab.figures import canvas, curve, legend, looks_of

TITLES = {
    "shuffled_labels": ("renamed classes", "training accuracy"),
    "permuted_inputs": ("shuffled pixels", "training accuracy"),
    "flipped_bits": ("flipped bits", "squared error"),
}


def by_stream(table: pd.DataFrame) -> Figure:
    """Draw each arm's score along the tasks, one panel per stream."""
    streams = list(dict.fromkeys(table["stream"]))
    figure, panels = canvas(1, len(streams), height=3.8, squeeze=False)
    looks = looks_of(table["arm"])
    for axes, stream in zip(panels[0], streams, strict=True):
        curve(axes, table[table["stream"] == stream], x="task", y="score", hue="arm", looks=looks)
        title, words = TITLES[stream]
        axes.set(title=title, xlabel="task", ylabel=words)
    legend(figure, columns=2)
    return figure
