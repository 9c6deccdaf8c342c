"""What others measured on boards, and the slots for the paper's own tables."""

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd


@cache
def read(name: str) -> dict[str, Any]:
    """Return ``anchors`` or ``paper_reference``, the YAML files beside this module."""
    import yaml

    return yaml.safe_load(Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8"))


def board_measurements() -> pd.DataFrame:
    """Return one row per measurement: ``network, board, runtime, latency_s, cycles_per_mac``."""
    tables = read("anchors")
    old = tables["microtvm"]
    rows = [_row(old["network"], old["board"], "microTVM", old["latency_ms"], old)]
    networks = tables["polychirp"]["networks"]
    for board, entry in tables["polychirp"]["boards"].items():
        for runtime in ("IREE", "MicroFlow"):
            for network, latency_ms in entry[runtime].items():
                if latency_ms is not None:
                    facts = {**networks[network], "clock_hz": entry["clock_hz"]}
                    rows.append(_row(network, board, runtime, latency_ms, facts))
    return pd.DataFrame(rows)


def _row(
    network: str, board: str, runtime: str, latency_ms: float, facts: dict[str, Any]
) -> dict[str, Any]:
    return {
        "network": network,
        "board": board,
        "runtime": runtime,
        "latency_s": latency_ms / 1e3,
        "macs": facts["macs"],
        "weights_bytes": facts.get("weights_bytes", 0),
        "cycles_per_mac": latency_ms / 1e3 * facts["clock_hz"] / facts["macs"],
    }


def microtvm_cycles_per_mac() -> float:
    """Return what microTVM took for LeNet-5 on a Cortex-M3."""
    table = board_measurements()
    return float(table.loc[table["runtime"] == "microTVM", "cycles_per_mac"].iloc[0])


def paper_latencies() -> pd.DataFrame:
    """Return the paper's latencies that are filled in: ``board, model, cores, latency_s``."""
    rows = [
        {"board": board, "model": model, "cores": 1 + (key == "dual"), "latency_s": value / 1e3}
        for board, models in read("paper_reference")["latency_ms"].items()
        for model, entry in models.items()
        for key, value in entry.items()
        if value is not None
    ]
    return pd.DataFrame(rows, columns=["board", "model", "cores", "latency_s"])
