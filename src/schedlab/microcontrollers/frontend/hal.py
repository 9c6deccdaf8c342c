"""Read a :class:`Program` from the text of IREE's HAL phase (``*.hal.mlir``)."""

import re

from schedlab.microcontrollers.frontend.dense import composite_bytes
from schedlab.microcontrollers.frontend.program import (
    ELEMENT_TYPES,
    Barrier,
    Binding,
    Command,
    Copy,
    Dispatch,
    Fill,
    Program,
    Tensor,
)

_COMPOSITE = re.compile(r"^(#composite\w*) = #util\.composite<\d+xi8, \[(.*?)^\]>", re.M | re.S)
_FUNCTION = re.compile(r"^  util\.(?:func|initializer).*?^  }", re.M | re.S)
_INTEGER = re.compile(r"(%[\w-]+) = arith\.constant (-?\d+) : (\w+)")
_COMMAND = re.compile(r"hal\.command_buffer\.(\w+)<%\w+ : .*?(?=\n    \S)", re.S)
_BINDING = re.compile(r"\((%[\w-]+) : [^)]*\)\[(%[\w-]+), (%[\w-]+)\]")
_PLACE = re.compile(r"(\w+)\((%[\w-]+) : [^)]*\)\[(%[\w-]+)(?:, (%[\w-]+))?\]")
_STREAM_NAME = re.compile(r'stream\.cmd\.dispatch @[^\s({]*::@"?([^"\s({]+)')


def read_program(hal: str, stream: str) -> Program:
    """Return what the compiled model does.

    Parameters
    ----------
    hal
        Text after the phase ``hal``: the commands with buffers, offsets and grids.
    stream
        Text after the phase ``stream``, which still has the kernels' names.

    Raises
    ------
    ValueError
        If the model uses what a fixed table of commands cannot express: a grid or a size that
        depends on data, several command buffers, or constants computed at start-up.
    """
    functions = _FUNCTION.findall(hal)
    recording = _only([f for f in functions if "command_buffer.create" in f], "command buffer")
    entry = _only([f for f in functions if "hal.buffer_view.assert" in f], "entry function")
    inputs, outputs, transients, table = _entry_buffers(entry)
    constants = _constants(hal, functions)
    names = _STREAM_NAME.findall(stream)
    commands = tuple(_commands(recording, table, names))
    if len(names) != sum(isinstance(command, Dispatch) for command in commands):
        raise ValueError(f"{len(names)} kernels are named, but not as many are called")
    return Program(commands, inputs, outputs, transients, constants)


def _only(found: list[str], what: str) -> str:
    if len(found) != 1:
        raise ValueError(f"a model with {len(found)} of '{what}' is not supported, only with one")
    return found[0]


class _Numbers(dict):
    """Integer constants of a function by SSA name; anything else is not static."""

    def __init__(self, function: str) -> None:
        super().__init__({name: int(value) for name, value, _ in _INTEGER.findall(function)})

    def __missing__(self, name: str) -> int:
        raise ValueError(f"{name} depends on run-time data: dynamic shapes are not supported")


def _entry_buffers(
    entry: str,
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], dict[str, int], list[str]]:
    """Return inputs, outputs, scratch sizes, and the buffers of the binding table by slot."""
    numbers = _Numbers(entry)
    roles = {}
    inputs = []
    views = re.findall(r"(%[\w-]+) = hal\.buffer_view\.buffer<(%\w+)", entry)
    for index, (buffer, argument) in enumerate(views):
        roles[buffer] = f"input{index}"
        shape = re.search(rf"assert<{argument} .*?shape\(\[(.*?)\]\) type\((\S+)\)", entry)
        inputs.append(_tensor(roles[buffer], shape, numbers))
    outputs = []
    views = re.finditer(r"create buffer\((\S+) :.*?shape\(\[(.*?)\]\) type\((\S+)\)", entry)
    for index, view in enumerate(views):
        roles[view[1]] = f"output{index}"
        shape = re.search(r"shape\(\[(.*?)\]\) type\((\S+)\)", view[0])
        outputs.append(_tensor(roles[view[1]], shape, numbers))
    transients = {}
    for name, size in re.findall(r"(%[\w-]+) = hal\.device\.queue\.alloca.*\{(\S+)\}", entry):
        if name not in roles:
            roles[name] = f"transient{len(transients)}"
            transients[roles[name]] = numbers[size]
    bound = re.search(r"queue\.execute\S*<.*?bindings\(\[(.*?)\]\) flags", entry, re.S)
    slots = [roles[name] for name, _, _ in _BINDING.findall(bound[1])] if bound else []
    return tuple(inputs), tuple(outputs), transients, slots


def _tensor(buffer: str, match: re.Match[str], numbers: _Numbers) -> Tensor:
    shape = tuple(numbers[name] for name in match[1].split(", ") if name)
    element = re.match(r"%element_type_([a-z]\d+)", match[2])
    if element is None or element[1] not in ELEMENT_TYPES:
        raise ValueError(f"tensors of {match[2]} are not supported")
    return Tensor(buffer, shape, ELEMENT_TYPES[element[1]])


def _constants(hal: str, functions: list[str]) -> dict[str, bytes]:
    """Return the content of every global constant buffer."""
    composites = dict(_COMPOSITE.findall(hal))
    found = {}
    for function in functions:
        target = re.search(r"util\.global\.store %\S+, (@\S+) : !hal\.buffer", function)
        source = re.search(r"util\.buffer\.constant .*?!util\.buffer = (.*)", function)
        if target and source is None:
            raise ValueError(f"the constant {target[1]} is computed at start-up: not supported")
        if target:
            found[target[1]] = composite_bytes(composites.get(source[1], source[1]))
    return found


def _commands(recording: str, table: list[str], names: list[str]) -> list[Command]:
    numbers = _Numbers(recording)
    loads = dict(re.findall(r"(%\S+) = util\.global\.load \w*\s?(@\S+) : !hal\.buffer", recording))
    remaining = iter(names)

    def binding(buffer: str, offset: str, length: str) -> Binding:
        name = loads[buffer] if buffer in loads else table[numbers[buffer]]
        return Binding(name, numbers[offset], numbers[length])

    found: list[Command] = []
    for match in _COMMAND.finditer(recording):
        kind, text = match[1], match[0]
        if kind == "dispatch":
            found.append(_dispatch(text, numbers, binding, next(remaining, "")))
        elif kind == "fill_buffer":
            _, buffer, offset, length = _PLACE.search(text).groups()
            found.append(Fill(binding(buffer, offset, length), _pattern(text, numbers)))
        elif kind == "copy_buffer":
            (_, source, at, _), (_, target, to, _) = _PLACE.findall(text)
            length = re.search(r"length\((\S+)\)", text)[1]
            found.append(Copy(binding(source, at, length), binding(target, to, length)))
        elif kind == "execution_barrier":
            found.append(Barrier())
        elif kind not in ("create", "finalize"):
            raise ValueError(f"the command {kind} is not supported")
    return found


def _dispatch(text: str, numbers: _Numbers, binding: object, name: str) -> Dispatch:
    ordinal = numbers[re.search(r"\)\[(\S+)\] workgroups", text)[1]]
    grid = tuple(numbers[n] for n in re.search(r"workgroups\(\[(.*?)\]\)", text)[1].split(", "))
    given = re.search(r"constants\(\[(.*?)\]\)", text)
    constants = tuple(numbers[n] for n in given[1].split(", ")) if given else ()
    bound = text[text.index("bindings([") :]
    bindings = tuple(binding(*groups) for groups in _BINDING.findall(bound))
    return Dispatch(ordinal, name, grid, constants, bindings)


def _pattern(text: str, numbers: _Numbers) -> bytes:
    name, bits = re.search(r"pattern\((\S+) : i(\d+)\)", text).groups()
    size = int(bits) // 8
    return (numbers[name] % (1 << int(bits))).to_bytes(size, "little")
