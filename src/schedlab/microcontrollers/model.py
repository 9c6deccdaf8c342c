"""A compiled network as schedulers see it: dispatches, each a grid of independent workgroups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import networkx

# Where the loops that share the weights end: those over positions, channels last.
SPATIAL = {"conv": 2, "matmul": 1, "matmul_like": -2, "matvec_like": 0}
ELEMENT_BYTES = {"i8": 1, "f32": 4, "i32": 4, "f16": 2}


@dataclass(frozen=True, eq=False)
class Dispatch:
    """One parallel step of a network: a grid of workgroups that do not depend on each other.

    Attributes
    ----------
    name
        Symbol of the compiled function, for instance ``main_dispatch_1_conv_24x24x6x5x5``.
    instructions
        Instructions of each workgroup, in row-major order of its ids, x fastest; shape ``(W,)``.
    op
        Kind of operator, or None where the compiler gives none (copies).
    extents
        Loop extents; their product is the number of multiply-accumulates of a conv or a matmul.
    tile
        Distribution tile of each loop; 0 where a loop is not distributed.
    group
        Dispatches with the same number may run side by side; None for one that may not.
    serial_instructions
        Fills that the main thread executes before it.
    local_memory_bytes
        Scratch memory that each workgroup asks for.
    weight_bytes
        Weights that a workgroup reads again and again, 0 where it reads each once; by default
        from extents and tile.
    """

    name: str
    instructions: np.ndarray
    op: str | None = None
    extents: tuple[int, ...] = ()
    tile: tuple[int, ...] = ()
    group: int | None = None
    serial_instructions: int = 0
    local_memory_bytes: int = 0
    weight_bytes: np.ndarray | int = -1

    def __post_init__(self) -> None:
        counts = np.asarray(self.instructions, dtype=float)
        if counts.ndim != 1 or not counts.size or not (counts > 0).all():
            raise ValueError(
                f"dispatch {self.name}: needs one positive instruction count per workgroup, got "
                f"{self.instructions!r}"
            )
        object.__setattr__(self, "instructions", counts)
        if np.isscalar(self.weight_bytes) and self.weight_bytes < 0:
            object.__setattr__(self, "weight_bytes", self._reused_weight_bytes())

    @property
    def workgroups(self) -> int:
        """Number of workgroups."""
        return self.instructions.size

    @property
    def macs(self) -> int:
        """Multiply-accumulates; 0 but for convolutions (pooling counts as one) and products."""
        return prod(self.extents) if self.op in SPATIAL else 0

    def _reused_weight_bytes(self) -> int:
        """Return the span of the loops after the spatial ones; a tiled loop spans its tile only."""
        split = SPATIAL.get(self.op or "", 0)
        tiles = self.tile if len(self.tile) == len(self.extents) else (0,) * len(self.extents)
        spans = [tile or extent for tile, extent in zip(tiles, self.extents, strict=True)]
        if not split or prod(spans[:split]) <= 1:
            return 0
        return prod(spans[split:]) * _element_bytes(self.name)


def _element_bytes(name: str) -> int:
    """Return the size of the weights' type, the second in a symbol such as ``..._i8xi8xi32``."""
    types = [part for part in name.rpartition("_")[2].split("x") if part in ELEMENT_BYTES]
    return ELEMENT_BYTES[types[min(1, len(types) - 1)]] if types else 1


class Layout(NamedTuple):
    """Steps of an inference, their workgroups one after the other.

    Attributes
    ----------
    steps
        Dispatches, or concurrent groups taken as one.
    instructions, weight_bytes
        Of all workgroups.
    offsets
        Step ``d`` has the workgroups ``offsets[d]`` to ``offsets[d + 1]``.
    serial_instructions, dispatches
        Of each step: fills before it, and the dispatches in it.
    """

    steps: tuple[Dispatch, ...]
    instructions: np.ndarray
    weight_bytes: np.ndarray
    offsets: np.ndarray
    serial_instructions: np.ndarray
    dispatches: np.ndarray


@dataclass(frozen=True, eq=False)
class Model:
    """A network compiled for one instruction set with one grid.

    Attributes
    ----------
    name, target, grid
        Which network, instruction set (for instance ``thumbv8m_m33_hardfp``) and compiler grid.
    dispatches
        In program order.
    constants_bytes, text_bytes, data_bytes, vm_bytes
        What goes to flash: weights, kernels, their tables, and the virtual machine's code.
    transient_bytes, input_bytes, output_bytes
        What goes to RAM.
    stack_bytes
        Largest stack frame of a kernel; None where it was not measured.
    """

    name: str
    target: str
    grid: str
    dispatches: tuple[Dispatch, ...]
    constants_bytes: int = 0
    text_bytes: int = 0
    data_bytes: int = 0
    vm_bytes: int = 0
    transient_bytes: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    stack_bytes: int | None = None
    flags: tuple[str, ...] = field(default=(), repr=False)

    @cached_property
    def instructions(self) -> float:
        """Instructions of one inference, fills included."""
        return sum(d.instructions.sum() + d.serial_instructions for d in self.dispatches)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(dispatch.macs for dispatch in self.dispatches)

    @cached_property
    def steps(self) -> tuple[tuple[Dispatch, ...], ...]:
        """Dispatches that the compiler lets run side by side, taken together, in program order."""
        steps: list[list[Dispatch]] = []
        for dispatch in self.dispatches:
            together = steps and dispatch.group is not None and steps[-1][0].group == dispatch.group
            steps[-1].append(dispatch) if together else steps.append([dispatch])
        return tuple(map(tuple, steps))

    @cached_property
    def in_order(self) -> Layout:
        """The dispatches one by one."""
        return _layout([(dispatch,) for dispatch in self.dispatches])

    @cached_property
    def side_by_side(self) -> Layout:
        """The dispatches with each concurrent group as one step."""
        return _layout(self.steps)

    def graph(self) -> networkx.DiGraph:
        """Return what must wait for what: nodes are positions of dispatches.

        Each node has ``span``, the instructions of its longest workgroup, so that the longest
        path is what no number of cores can shorten.
        """
        import networkx

        graph = networkx.DiGraph()
        before: list[int] = []
        position = 0
        for step in self.steps:
            here = list(range(position, position + len(step)))
            for node, dispatch in zip(here, step, strict=True):
                span = dispatch.instructions.max() + dispatch.serial_instructions
                graph.add_node(node, name=dispatch.name, span=span)
                graph.add_edges_from((earlier, node, {"span": span}) for earlier in before)
            before, position = here, position + len(step)
        return graph


def merged(step: tuple[Dispatch, ...]) -> Dispatch:
    """Return dispatches that may run side by side as one, their workgroups one after the other."""
    if len(step) == 1:
        return step[0]
    weights = [np.broadcast_to(d.weight_bytes, d.workgroups) for d in step]
    return Dispatch(
        name=" + ".join(d.name for d in step),
        instructions=np.concatenate([d.instructions for d in step]),
        serial_instructions=sum(d.serial_instructions for d in step),
        weight_bytes=np.concatenate(weights),
    )


def _layout(groups: Sequence[tuple[Dispatch, ...]]) -> Layout:
    steps = tuple(merged(group) for group in groups)
    weights = [np.broadcast_to(step.weight_bytes, step.workgroups) for step in steps]
    return Layout(
        steps=steps,
        instructions=np.concatenate([step.instructions for step in steps]),
        weight_bytes=np.concatenate(weights),
        offsets=np.cumsum([0, *[step.workgroups for step in steps]]),
        serial_instructions=np.array([step.serial_instructions for step in steps], dtype=float),
        dispatches=np.array([len(group) for group in groups]),
    )


def with_instructions(model: Model, factors: list[np.ndarray]) -> Model:
    """Return the model with the counts of each dispatch multiplied, workgroup by workgroup."""
    changed = tuple(
        replace(dispatch, instructions=dispatch.instructions * factor)
        for dispatch, factor in zip(model.dispatches, factors, strict=True)
    )
    return replace(model, dispatches=changed)


def coarsened(model: Model, merge: int) -> Model:
    """Return the model with every ``merge`` neighbouring workgroups made one.

    What a compiler with a coarser grid would give, but for what it would save inside the kernels.
    """
    if merge < 1:
        raise ValueError(f"merge must be at least 1, got {merge}")
    changed = tuple(
        replace(
            dispatch,
            instructions=np.add.reduceat(
                dispatch.instructions, np.arange(0, dispatch.workgroups, merge)
            ),
        )
        for dispatch in model.dispatches
    )
    return replace(model, dispatches=changed, grid=f"{model.grid}, {merge} merged")
