"""What two cores gain, why, and how near every scheduler comes to the best."""

from collections.abc import Iterable, Sequence
from functools import partial

import pandas as pd

from schedlab.lab.claims import CannotTell, Claim, Tables
from schedlab.microcontrollers import costs
from schedlab.microcontrollers.anchors import microtvm_cycles_per_mac, paper_latencies, read
from schedlab.microcontrollers.claims.estimators import PREDICTED, THEORY, of
from schedlab.microcontrollers.claims.labels import ARIEL, LOOP, LPT

SECONDARY = "v2 (May 2026), as two secondary sources cite it"
LENET = {costs.OWN: "digits_cnn_int8", costs.CATALOGUED: "lenet5_quantized"}
M33 = "thumbv8m_m33_hardfp"


def speed_up_claims(*, counts: str, settings: Sequence[str], own: Iterable[str]) -> list[Claim]:
    """Return the claims about two cores.

    Parameters
    ----------
    counts
        Set of instruction counts, which names the network to compare with microTVM's LeNet-5.
    settings
        Names of the settings: tiles alone, with overhead, with contention.
    own
        Labels of schedulers that are not published; each gets a row of its own.
    """
    tiles, overhead, contention = settings
    published, which = read("paper_reference")["dual_core_speed_up"], costs.NETWORKS[counts]
    return [
        _published("dual-core-speed-up", f"{which}, {contention}", contention, published),
        _published("dual-core-without-contention", f"{which}, {overhead}", overhead, published),
        _range(
            "tiles-alone-low",
            f"Near-equal tiles alone bring every network to 1.8 on two cores ({which})",
            of("speed_up", "speed_up", "min", _fifo(tiles)),
            holds_from=1.80,
        ),
        _range(
            "contention-low",
            f"With contention and overhead every network gains at least 1.45 ({which})",
            of("speed_up", "speed_up", "min", _fifo(contention)),
            holds_from=1.45,
        ),
        _range(
            "contention-high",
            f"With contention and overhead no network gains more than 1.65 ({which})",
            of("speed_up", "speed_up", "max", _fifo(contention)),
            holds_to=1.65,
        ),
        _range(
            "contention-mean",
            f"With contention and overhead the mean gain is 1.57 ({which})",
            of("speed_up", "speed_up", "mean", _fifo(contention)),
            holds_from=1.52,
            holds_to=1.62,
        ),
        Claim(
            id="microcontrollers/fifo-near-bound",
            sentence="On equal cores Ariel's queue is within 3 % of the sum of the lower bounds",
            source=PREDICTED,
            estimator=of("bounds", "over_bound", "max", f"scheduler == '{ARIEL}'"),
            unit="relative",
            holds_to=0.03,
            figure="speed-up",
        ),
        Claim(
            id="microcontrollers/lpt-no-worse",
            sentence="Longest first is nowhere more than 0.1 % worse than Ariel's queue",
            source=THEORY,
            estimator=lpt_over_fifo,
            unit="relative",
            holds_to=0.001,
            figure="speed-up",
        ),
        _microtvm(counts),
        _flash(),
        *_latencies(contention),
        *[_own(label, contention) for label in own],
    ]


def _fifo(setting: str) -> str:
    return f"scheduler == '{ARIEL}' and setting == '{setting}'"


def _published(name: str, condition: str, setting: str, published: float) -> Claim:
    return Claim(
        id=f"microcontrollers/{name}",
        sentence=f"Two cores run inference 1.6 times as fast as one ({condition})",
        source=SECONDARY,
        estimator=of("speed_up", "speed_up", "mean", _fifo(setting)),
        published=published,
        unit="times",
        holds_from=1.5,
        holds_to=1.7,
        null=1.0,
        figure="speed-up",
        reconstruction=True,
    )


def _range(name: str, sentence: str, estimator: object, **limits: float) -> Claim:
    return Claim(
        id=f"microcontrollers/{name}",
        sentence=sentence,
        source=PREDICTED,
        estimator=estimator,
        unit="times",
        figure="speed-up",
        **limits,
    )


def lpt_over_fifo(tables: Tables) -> Sequence[float]:
    """Return, per seed, the most that longest first needs more than Ariel's queue."""
    rows = tables["bounds"][tables["bounds"]["scheduler"].isin([ARIEL, LPT])]
    spans = rows.pivot_table(
        index=["seed", "model", "board"], columns="scheduler", values="over_bound"
    )
    if not {ARIEL, LPT} <= set(spans):
        raise CannotTell(f"the run lacks {ARIEL} or {LPT}")
    worse = (1 + spans[LPT]) / (1 + spans[ARIEL]) - 1
    return worse.groupby("seed").max().tolist()


def _microtvm(counts: str) -> Claim:
    return Claim(
        id="microcontrollers/faster-than-microtvm",
        sentence="On one core IREE's kernels take fewer cycles per multiply-accumulate than "
        f"microTVM's did for LeNet-5 ({costs.title(LENET[counts])} on Cortex-M33)",
        source=f"{SECONDARY}; RIOT-ML's README",
        estimator=partial(against_microtvm, network=LENET[counts]),
        unit="of microTVM's",
        holds_to=1.0,
        null=1.0,
        reconstruction=True,
    )


def against_microtvm(tables: Tables, network: str) -> Sequence[float]:
    """Return, per seed, a network's cycles per multiply-accumulate over microTVM's."""
    table = tables["efficiency"]
    rows = table[(table["network"] == network) & (table["target"] == M33)]
    if rows.empty:
        raise CannotTell(f"{network} was not counted for a board of the run with {M33}")
    return (rows.groupby("seed")["cycles_per_mac"].mean() / microtvm_cycles_per_mac()).tolist()


def _flash() -> Claim:
    return Claim(
        id="microcontrollers/multicore-flash",
        sentence="Multi-core support costs 8 % more flash on RP2040",
        source=SECONDARY,
        estimator=_no_image,
        published=read("paper_reference")["multicore_flash_overhead"],
        unit="relative",
        holds_from=0.05,
        holds_to=0.11,
        decide_with="build both firmware images of the public repository for rpi-pico and compare",
    )


def _no_image(tables: Tables) -> Sequence[float]:
    raise CannotTell(
        "it takes two linked firmware images, which cannot be built from PyPI packages"
    )


def _latencies(setting: str) -> list[Claim]:
    """Return a claim for every latency of the paper that somebody has filled in."""
    return [
        Claim(
            id=f"microcontrollers/latency-{row.board}-{row.model.replace('_', '-')}-{row.cores}",
            sentence=f"{costs.title(row.model)} takes {1e3 * row.latency_s:g} ms on {row.board} "
            f"with {row.cores} core{'s' * (row.cores > 1)}",
            source="the paper's table, from paper_reference.yaml",
            estimator=partial(latency_ms, row=row, setting=setting),
            published=1e3 * row.latency_s,
            unit="ms",
            holds_from=0.8e3 * row.latency_s,
            holds_to=1.2e3 * row.latency_s,
            reconstruction=True,
        )
        for row in paper_latencies().itertuples()
    ]


def latency_ms(tables: Tables, row: object, setting: str) -> Sequence[float]:
    """Return, per seed, the latency of one network on one board under Ariel or the plain loop."""
    scheduler = ARIEL if row.cores > 1 else LOOP
    table: pd.DataFrame = tables["speed_up"]
    rows = table[
        (table["model"] == costs.title(row.model))
        & (table["board"] == row.board)
        & (table["scheduler"] == scheduler)
        & (table["setting"] == setting)
    ]
    if rows.empty:
        raise CannotTell(f"the run has no {row.model} on {row.board}")
    return rows.groupby("seed")["latency_ms"].mean().tolist()


def _own(label: str, setting: str) -> Claim:
    return Claim(
        id="microcontrollers/own-" + "".join(c if c.isalnum() else "-" for c in label.lower()),
        sentence=f"{label} is faster than Ariel's queue",
        source="a scheduler of your own",
        estimator=partial(against_fifo, label=label, setting=setting),
        unit="relative",
        holds_from=0.0,
        null=0.0,
        figure="speed-up",
    )


def against_fifo(tables: Tables, label: str, setting: str) -> Sequence[float]:
    """Return, per seed, the mean relative gain in speed-up of a scheduler over Ariel's queue."""
    rows = tables["speed_up"].query("setting == @setting")
    table = rows.pivot_table(
        index=["seed", "model", "board"], columns="scheduler", values="speed_up"
    )
    return (table[label] / table[ARIEL] - 1).groupby("seed").mean().tolist()
