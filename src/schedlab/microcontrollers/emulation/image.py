"""Build an image from the harness, the kernels, and a program as a table in C."""

import shutil
import subprocess
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from schedlab.microcontrollers.emulation.machines import Machine, require
from schedlab.microcontrollers.frontend.compiler import Compiled
from schedlab.microcontrollers.frontend.importer import ModelError
from schedlab.microcontrollers.frontend.program import (
    Barrier,
    Binding,
    Copy,
    Dispatch,
    Fill,
    Program,
)

FLAGS = "-std=c11 -O2 -Wall -ffreestanding -fno-builtin -nostdlib"


def build(
    compiled: Compiled, machine: Machine, inputs: np.ndarray, expected: np.ndarray, folder: Path
) -> Path:
    """Return a bootable image of the model.

    Parameters
    ----------
    inputs, expected
        One row per inference: the model's input, and the output it must give.
    folder
        Where everything is put; it must be empty.

    Raises
    ------
    ModelError
        If the model has several inputs or outputs, or the image cannot be linked.
    FileNotFoundError
        If compiler or emulator are not installed.
    """
    require(machine)
    program = compiled.program
    if len(program.inputs) != 1 or len(program.outputs) != 1:
        raise ModelError(compiled.model, "emulation", "only one input and one output are supported")
    with as_file(files(__package__) / "harness") as harness:
        shutil.copytree(harness, folder, dirs_exist_ok=True)
    blobs = {"inputs": inputs.tobytes(), "expected": expected.tobytes()}
    names = {name: f"constant{i}" for i, name in enumerate(program.constants)}
    blobs |= {names[name]: data for name, data in program.constants.items()}
    for name, data in blobs.items():
        (folder / f"{name}.bin").write_bytes(data)
    text = _program_text(program, names, list(blobs), compiled.query, len(inputs))
    (folder / "program.c").write_text(text)
    image = folder / "image.elf"
    _link(compiled, machine, folder, image)
    return image


def _link(compiled: Compiled, machine: Machine, folder: Path, image: Path) -> None:
    command = [
        machine.compiler,
        *machine.compiler_flags.split(),
        *f"{FLAGS} -DCORES={machine.cores}".split(),
        *("-isystem", "/usr/lib/picolibc/riscv64-unknown-elf/include"),
        *("main.c", machine.source, "program.c", str(compiled.kernels), "-Timage.ld"),
        f"-Wl,--defsym=ORIGIN_OF_RAM={machine.origin:#x},--gc-sections,--no-warn-mismatch",
        *_float_names(machine),
        *("-o", str(image), "-Wl,--start-group", *machine.link_flags.split(), "-Wl,--end-group"),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        errors = [
            line for line in done.stderr.splitlines() if "error" in line or "undefined" in line
        ]
        raise ModelError(compiled.model, f"linking for {machine.name}", (errors or ["?"])[0])


def _float_names(machine: Machine) -> list[str]:
    """Return linker options that give Arm's software float routines the names LLVM calls."""
    if not machine.compiler.startswith("arm"):
        return []
    names = {
        "__addsf3": "__aeabi_fadd",
        "__subsf3": "__aeabi_fsub",
        "__mulsf3": "__aeabi_fmul",
        "__divsf3": "__aeabi_fdiv",
        "__fixsfsi": "__aeabi_f2iz",
        "__floatsisf": "__aeabi_i2f",
        "__floatunsisf": "__aeabi_ui2f",
        "__unordsf2": "__aeabi_fcmpun",
    }
    return [f"-Wl,--defsym={name}={ours}" for name, ours in names.items()]


def _program_text(
    program: Program, names: dict[str, str], blobs: list[str], query: str, inferences: int
) -> str:
    given, made = program.inputs[0], program.outputs[0]
    buffers = {given.buffer: given.size, made.buffer: made.size, **program.transients}
    lines = ['#include "kernels.h"', *[_blob_text(name) for name in blobs]]
    lines += [
        f"static uint8_t {n}[{size}] __attribute__((aligned(64)));" for n, size in buffers.items()
    ]
    lines += [f"extern const void *{query}(uint32_t, const void *);"]
    lines += ["static const environment_t environment;"]
    lines += [f"const library_t *kernel_library(void) {{ return {query}(6, &environment); }}"]
    entries = []
    for index, command in enumerate(c for c in program.commands if not isinstance(c, Barrier)):
        if isinstance(command, Dispatch):
            lines += _dispatch_text(index, command, names)
            entries.append(f"  {{DISPATCH, 0, {command.ordinal}, &dispatch{index}, 0, 0, 0}},")
        elif isinstance(command, Fill):
            entries.append(_fill_entry(command, names))
        else:
            entries.append(_copy_entry(command, names))
    lines += ["const command_t commands[] = {", *entries, "};"]
    lines += [f"const uint32_t command_count = {len(entries)}, inference_count = {inferences};"]
    lines += [f"uint8_t *const input = {given.buffer}, *const output = {made.buffer};"]
    lines += [f"const uint32_t input_size = {given.size}, output_size = {made.size};", ""]
    return "\n".join(lines)


def _blob_text(name: str) -> str:
    section = f'.section .rodata\\n.balign 64\\n.globl {name}\\n{name}: .incbin \\"{name}.bin\\"'
    return f'__asm("{section}\\n.byte 0\\n.balign 4\\n.text\\n");\nextern const uint8_t {name}[];'


def _place(binding: Binding, names: dict[str, str]) -> str:
    name = names.get(binding.buffer, binding.buffer)
    return f"(uint8_t *){name} + {binding.offset}"


def _dispatch_text(index: int, dispatch: Dispatch, names: dict[str, str]) -> list[str]:
    constants = ", ".join(f"{value % (1 << 32)}u" for value in dispatch.constants) or "0"
    places = ", ".join(_place(b, names) for b in dispatch.bindings)
    lengths = ", ".join(str(b.length) for b in dispatch.bindings)
    x, y, z = dispatch.grid
    sizes = f"1, 1, 1, {len(dispatch.constants)}, {x}, {y}, {z}, 1, {len(dispatch.bindings)}"
    return [
        f"static const uint32_t constants{index}[] = {{{constants}}};",
        f"static void *const bindings{index}[] = {{{places}}};",
        f"static const size_t lengths{index}[] = {{{lengths}}};",
        f"static const dispatch_t dispatch{index} = "
        f"{{{sizes}, constants{index}, bindings{index}, lengths{index}}};",
    ]


def _fill_entry(fill: Fill, names: dict[str, str]) -> str:
    pattern = "".join(f"\\x{byte:02x}" for byte in fill.pattern)
    source = f'(const uint8_t *)"{pattern}"'
    target = _place(fill.target, names)
    return f"  {{FILL, {len(fill.pattern)}, 0, 0, {target}, {source}, {fill.target.length}}},"


def _copy_entry(copy: Copy, names: dict[str, str]) -> str:
    source, target = _place(copy.source, names), _place(copy.target, names)
    return f"  {{COPY, 0, 0, 0, {target}, {source}, {copy.target.length}}},"
