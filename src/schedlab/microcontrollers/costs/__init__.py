"""Measured instruction counts of compiled networks, read into models.

The counts that are shipped come from networks of our own, see ``own_workgroup_costs.json`` for how
they were measured. Those of MLPerf Tiny's and RIOT-ML's networks are in the data catalogue.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from schedlab.data.catalog import fetch
from schedlab.microcontrollers.model import Dispatch, Model

OWN = "own"
CATALOGUED = "iree38-workgroup-costs"
SETS = (OWN, CATALOGUED)
NETWORKS = {OWN: "digits networks", CATALOGUED: "MLPerf Tiny, LeNet-5, MCUNet"}
"""What the networks of each set are, in words."""
FILL_BYTES = 4  # that one instruction of a fill writes, where the fill was not measured

TITLES = {
    "lenet5_quantized": "LeNet-5",
    "kws_dscnn_int8": "KWS DS-CNN",
    "ic_resnet8_int8": "IC ResNet-8",
    "vww_96_int8": "VWW MobileNet",
    "ad01_int8": "AD autoencoder",
    "mcunet_10fps_vww": "MCUNet VWW",
}


@cache
def read(counts: str) -> tuple[Model, ...]:
    """Return every model of a set of counts: one for each network, instruction set and grid.

    Parameters
    ----------
    counts
        ``own``, which is shipped, or ``iree38-workgroup-costs`` of the data catalogue.

    Raises
    ------
    ValueError
        If there is no such set, or a file is not what it should be.
    FileNotFoundError
        If the catalogued file is not to be had; the message says how to get it.
    """
    if counts not in SETS:
        raise ValueError(f"unknown set of counts {counts!r}; allowed are {', '.join(SETS)}")
    shipped = Path(__file__).with_name("own_workgroup_costs.json")
    path = shipped if counts == OWN else fetch(counts)
    return parse(json.loads(path.read_text(encoding="utf-8")))


def default_grids(counts: str) -> list[Model]:
    """Return the models of a set that have the compiler's default grid."""
    return [model for model in read(counts) if model.grid == "default"]


def find(counts: str, name: str, target: str, grid: str = "default") -> Model:
    """Return one model.

    Raises
    ------
    ValueError
        If the set has none such; the message lists what it has.
    """
    for model in read(counts):
        if (model.name, model.target, model.grid) == (name, target, grid):
            return model
    known = sorted({f"{m.name} ({m.target}, {m.grid})" for m in read(counts)})
    raise ValueError(f"no {name!r} for {target} with grid {grid!r}; there are {', '.join(known)}")


def title(name: str) -> str:
    """Return a network's name for figures."""
    return TITLES.get(name, name.replace("_", " "))


def parse(content: dict[str, Any]) -> tuple[Model, ...]:
    """Return the models of a file of counts.

    Raises
    ------
    ValueError
        If the counts of a dispatch are not those of its grid.
    """
    return tuple(
        _model(name, key, entry)
        for name, variants in content["models"].items()
        for key, entry in variants.items()
    )


def _model(name: str, key: str, entry: dict[str, Any]) -> Model:
    target, _, grid = key.partition("@")
    sizes = entry["buffers_bytes"]
    return Model(
        name=name,
        target=entry.get("target", target),
        grid=entry.get("grid", grid or "default"),
        dispatches=tuple(_dispatch(d) for d in entry["dispatches"]),
        constants_bytes=sizes["constants"],
        text_bytes=entry["object_text_bytes"],
        data_bytes=entry["object_data_bytes"],
        vm_bytes=entry.get("vm_code_bytes", 0),
        transient_bytes=sizes["transient"],
        input_bytes=sizes["input"],
        output_bytes=sizes["output"],
        stack_bytes=entry.get("stack_bytes"),
        flags=tuple(entry.get("flags", ())),
    )


def _dispatch(entry: dict[str, Any]) -> Dispatch:
    x, y, z = entry["workgroups"]
    if x * y * z != len(entry["instructions"]):
        raise ValueError(
            f"{entry['name']}: a grid of {x} x {y} x {z} and {len(entry['instructions'])} counts"
        )
    fills = sum(entry.get("fills_before", ())) / FILL_BYTES
    return Dispatch(
        name=entry["name"],
        instructions=entry["instructions"],
        op=entry["op"],
        extents=tuple(entry["loop_extents"] or ()),
        tile=tuple(entry["distribution"] or ()),
        group=entry.get("concurrent"),
        serial_instructions=entry.get("fill_instructions", fills),
        local_memory_bytes=entry.get("local_memory_bytes", 0),
    )
