"""The dispatch graph of a compiled model as plain data: the form in which costs are stored."""

import re
from math import prod
from typing import Any

from schedlab.microcontrollers.frontend.compiler import Compiled, compiler_version
from schedlab.microcontrollers.frontend.objects import object_sizes
from schedlab.microcontrollers.frontend.program import Barrier, Dispatch, Fill, Program

_NAME = re.compile(r".*?_dispatch_\d+_(?P<op>[a-z_]+?)_(?P<extents>\d+(?:x\d+)*)_?x?[if]\d")
_CONFIG = re.compile(r"^(#config\d*) = #iree_cpu\.lowering_config<(.*)>$", re.M)
_EXPORT = re.compile(r'hal\.executable\.export public @"?([^"\s]+)')


def dispatch_graph(compiled: Compiled) -> dict[str, Any]:
    """Return one model on one target as JSON-ready data.

    Returns
    -------
    dict
        Compiler, target and flags; buffer and object sizes in bytes; and per dispatch its kernel's
        ordinal and name, kind, loop extents, workgroups in x, y, z, tile sizes, number of the
        concurrent group it belongs to (absent when alone), and the bytes filled before it.
    """
    program, sizes = compiled.program, object_sizes(compiled.kernels)
    return {
        "compiler": compiler_version(),
        "target": compiled.target.name,
        "grid": compiled.grid,
        "triple": compiled.target.triple or "host",
        "cpu": compiled.target.cpu,
        "flags": list(compiled.flags),
        "buffers_bytes": {
            "input": sum(t.size for t in program.inputs),
            "output": sum(t.size for t in program.outputs),
            "transient": sum(program.transients.values()),
            "constants": sum(map(len, program.constants.values())),
        },
        "object_text_bytes": sizes.text,
        "object_data_bytes": sizes.data,
        "dispatches": _dispatches(program, tile_sizes(compiled)),
    }


def tile_sizes(compiled: Compiled) -> dict[str, list[int]]:
    """Return the distribution tiles of every kernel by name; 0 means a loop is not cut."""
    text = compiled.phase("executable-configurations")
    configs = dict(_CONFIG.findall(text))
    exports = list(_EXPORT.finditer(text))
    ends = [match.start() for match in exports[1:]] + [len(text)]
    found = {}
    for match, end in zip(exports, ends, strict=True):
        used = re.findall(r"lowering_config = (#config\d*)", text[match.start() : end])
        tiles = [re.search(r"distribution = \[(.*?)\]", configs[name]) for name in used]
        vectors = [[int(n) for n in tile[1].split(", ")] for tile in tiles if tile]
        found[match[1]] = vectors[-1] if vectors else []
    return found


def kind_and_extents(name: str) -> tuple[str | None, list[int] | None]:
    """Read operator and loop extents from a kernel's name, such as ``..._conv_24x24x6x5x5_i8``.

    A softmax has several loops and its name the extent of none.
    """
    match = _NAME.match(name)
    if match is None or match["op"] == "softmax":
        return None, None
    return match["op"], [int(n) for n in match["extents"].split("x")]


def concurrent_groups(program: Program) -> list[int | None]:
    """Return for every dispatch the number of the group that may run at once; None when alone."""
    members: list[list[int]] = [[]]
    for command in program.commands:
        if isinstance(command, Barrier):
            members.append([])
        elif isinstance(command, Dispatch):
            members[-1].append(sum(map(len, members)))
    groups: list[int | None] = [None] * sum(map(len, members))
    for number, group in enumerate(g for g in members if len(g) > 1):
        for index in group:
            groups[index] = number
    return groups


def fills_before(program: Program) -> list[list[int]]:
    """Return for every dispatch the sizes of the fills that are replayed just before it."""
    found, pending = [], []
    for command in program.commands:
        if isinstance(command, Fill):
            pending.append(command.target.length)
        elif isinstance(command, Dispatch):
            found.append(pending)
            pending = []
    return found


def _dispatches(program: Program, tiles: dict[str, list[int]]) -> list[dict[str, Any]]:
    groups, fills = concurrent_groups(program), fills_before(program)
    found = []
    for dispatch, group, filled in zip(program.dispatches, groups, fills, strict=True):
        op, extents = kind_and_extents(dispatch.name)
        entry = {
            "ordinal": dispatch.ordinal,
            "name": dispatch.name,
            "op": op,
            "loop_extents": extents,
            "loop_points": prod(extents) if extents else None,
            "workgroups": list(dispatch.grid),
            "distribution": tiles.get(dispatch.name, []),
        }
        if group is not None:
            entry["concurrent"] = group
        if filled:
            entry["fills_before"] = filled
        found.append(entry)
    return found
