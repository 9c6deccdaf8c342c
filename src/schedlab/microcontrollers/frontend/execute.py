"""Run a model workgroup by workgroup on this computer, in any order, on any number of threads."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from schedlab.microcontrollers.frontend.compiler import Compiled
from schedlab.microcontrollers.frontend.importer import ModelError
from schedlab.microcontrollers.frontend.kernels import Kernels, aligned
from schedlab.microcontrollers.frontend.program import Binding, Copy, Dispatch, Fill, Tensor
from schedlab.microcontrollers.frontend.queue import HandOut, WorkQueue


class HostModel:
    """A model compiled for the host, with its buffers.

    Parameters
    ----------
    compiled
        The result of ``compile_model(path, "host")``.

    Raises
    ------
    ValueError
        If it was compiled for another machine.
    """

    def __init__(self, compiled: Compiled) -> None:
        if compiled.target.triple is not None:
            raise ValueError(f"{compiled.model} is compiled for {compiled.target.name}, not host")
        self.name, self.program = compiled.model, compiled.program
        self._kernels = Kernels(compiled.kernels)
        program = self.program
        self._buffers = {t.buffer: aligned(t.size) for t in (*program.inputs, *program.outputs)}
        self._buffers |= {name: aligned(size) for name, size in program.transients.items()}
        for name, data in program.constants.items():
            self._buffers[name] = aligned(len(data))
            self._buffers[name][:] = np.frombuffer(data, dtype=np.uint8)
        self._calls = {
            id(d): self._kernels.bind(
                d.ordinal, d.grid, d.constants, [self._view(b) for b in d.bindings]
            )
            for d in program.dispatches
        }

    def _view(self, binding: Binding) -> np.ndarray:
        return self._buffers[binding.buffer][binding.offset : binding.offset + binding.length]

    @property
    def sizes(self) -> list[int]:
        """Workgroups of every dispatch."""
        return [len(d.workgroups) for d in self.program.dispatches]

    def run(
        self, *inputs: np.ndarray, plans: Sequence[HandOut] | None = None, cores: int = 1
    ) -> list[np.ndarray]:
        """Return the outputs for the given inputs.

        Parameters
        ----------
        inputs
            In the model's shapes and types.
        plans
            How the workgroups of each dispatch are handed out. By default Ariel-ML's greedy queue:
            whoever is free takes the next one in row-major order.
        cores
            Threads that run workgroups, all at once.

        Raises
        ------
        ModelError
            If an input or a plan does not fit the model.
        """
        plans = plans or [HandOut.greedy(range(n)) for n in self.sizes]
        self._check_plans(plans, cores)
        with ThreadPoolExecutor(cores) as pool:
            return self._replay(inputs, lambda i, d: self._share(pool, cores, d, plans[i]))

    def workgroup_times(self, *inputs: np.ndarray, repeats: int = 20) -> list[list[int]]:
        """Return nanoseconds per workgroup: of each dispatch, the least over some inferences."""
        best = [[2**62] * n for n in self.sizes]

        def timed(index: int, dispatch: Dispatch) -> None:
            call = self._calls[id(dispatch)]
            for number, workgroup in enumerate(dispatch.workgroups):
                start = time.perf_counter_ns()
                call(workgroup, 0)
                best[index][number] = min(best[index][number], time.perf_counter_ns() - start)

        for _ in range(repeats):
            self._replay(inputs, timed)
        return best

    def _check_plans(self, plans: Sequence[HandOut], cores: int) -> None:
        for index, (plan, size) in enumerate(zip(plans, self.sizes, strict=True)):
            if sorted(plan.workgroups) != list(range(size)):
                reason = f"dispatch {index} must run each of its {size} workgroups once"
                raise ModelError(self.name, "execution", reason)
            if not all(owner < cores for owner in plan.owners):
                raise ModelError(self.name, "execution", f"dispatch {index} wants a core too many")

    def _replay(
        self, inputs: Sequence[np.ndarray], run_dispatch: Callable[[int, Dispatch], None]
    ) -> list[np.ndarray]:
        """Go through the commands in order; every dispatch ends before the next begins."""
        program = self.program
        if len(inputs) != len(program.inputs):
            reason = f"{len(inputs)} inputs given, {len(program.inputs)} wanted"
            raise ModelError(self.name, "execution", reason)
        for tensor, value in zip(program.inputs, inputs, strict=True):
            self._buffers[tensor.buffer][:] = self._bytes_of(tensor, value)
        index = 0
        for command in program.commands:
            if isinstance(command, Dispatch):
                run_dispatch(index, command)
                index += 1
            elif isinstance(command, Fill):
                target = self._view(command.target)
                target[:] = np.resize(np.frombuffer(command.pattern, dtype=np.uint8), target.size)
            elif isinstance(command, Copy):
                self._view(command.target)[:] = self._view(command.source)
        return [self._output(tensor) for tensor in program.outputs]

    def _bytes_of(self, tensor: Tensor, value: np.ndarray) -> np.ndarray:
        if value.shape != tensor.shape or value.dtype != tensor.dtype:
            given, wanted = f"{value.dtype} {value.shape}", f"{tensor.dtype} {tensor.shape}"
            raise ModelError(self.name, "execution", f"input {given} given, {wanted} wanted")
        return np.ascontiguousarray(value).view(np.uint8).reshape(-1)

    def _output(self, tensor: Tensor) -> np.ndarray:
        return self._buffers[tensor.buffer].view(tensor.dtype).reshape(tensor.shape).copy()

    def _share(
        self, pool: ThreadPoolExecutor, cores: int, dispatch: Dispatch, plan: HandOut
    ) -> None:
        call, workgroups, queue = self._calls[id(dispatch)], dispatch.workgroups, WorkQueue(plan)

        def work(core: int) -> None:
            while chunk := queue.take(core):
                for number in chunk:
                    call(workgroups[number], core)

        list(pool.map(work, range(cores)))


def run_reference(compiled: Compiled, *inputs: np.ndarray) -> list[np.ndarray]:
    """Return the outputs of IREE's own runtime (``local-sync``)."""
    from iree import runtime

    module = runtime.load_vm_flatbuffer_file(str(compiled.module), driver="local-sync")
    names = module.vm_module.function_names
    (entry,) = [name for name in names if not name.startswith("__") and "$" not in name]
    found = module[entry](*inputs)
    found = found if isinstance(found, tuple | list) else [found]
    return [np.asarray(value.to_host()) for value in found]
