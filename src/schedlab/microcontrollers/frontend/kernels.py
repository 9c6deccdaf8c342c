"""Call IREE's compiled workgroup functions directly, through their C interface.

The layouts are those of IREE 3.8.0's executable library interface, version 6, on 64-bit machines.
"""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, Structure, c_int, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64
from ctypes import c_void_p as address
from pathlib import Path

import numpy as np

INTERFACE_VERSION = 6
ALIGNMENT = 64  # of every buffer, bytes
LOCAL_MEMORY_PAGE = 4096  # bytes


class _Environment(Structure):
    _fields_ = (
        ("constants", address),
        ("import_thunk", address),
        ("imports", address),
        ("import_contexts", address),
        ("processor", c_uint64 * 8),  # zeros: the generic CPU
    )


class _DispatchState(Structure):
    _fields_ = (
        ("size_x", c_uint32),
        ("size_y", c_uint32),
        ("size_z", c_uint16),
        ("constant_count", c_uint16),
        ("count_x", c_uint32),
        ("count_y", c_uint32),
        ("count_z", c_uint16),
        ("max_concurrency", c_uint8),
        ("binding_count", c_uint8),
        ("constants", POINTER(c_uint32)),
        ("bindings", POINTER(address)),
        ("binding_lengths", POINTER(c_size_t)),
    )


class _WorkgroupState(Structure):
    _fields_ = (
        ("x", c_uint32),
        ("y", c_uint32),
        ("z", c_uint16),
        ("reserved", c_uint16),
        ("processor_id", c_uint32),
        ("local_memory", address),
        ("local_memory_size", c_uint32),
    )


class _Attributes(Structure):
    _fields_ = (
        ("flags", c_uint64),
        ("local_memory_pages", c_uint16),
        ("rest", c_uint8 * 54),
    )


_Kernel = ctypes.CFUNCTYPE(c_int, address, address, address)


class _Library(Structure):
    _fields_ = (
        ("header", address),
        ("import_count", c_uint32),
        ("import_symbols", address),
        ("export_count", c_uint32),
        ("functions", POINTER(address)),
        ("attributes", POINTER(_Attributes)),
    )


class Kernels:
    """The kernels of a shared object that was compiled for this computer.

    Parameters
    ----------
    path
        The object.

    Raises
    ------
    OSError
        If it cannot be loaded.
    ValueError
        If it does not offer the interface of this version.
    """

    def __init__(self, path: Path) -> None:
        self._object = ctypes.CDLL(str(path))
        self._environment = _Environment()
        query = self._object.iree_hal_executable_library_query
        query.restype = POINTER(_Library)
        found = query(c_uint32(INTERFACE_VERSION), ctypes.byref(self._environment))
        if not found:
            raise ValueError(f"{path.name}: no kernels of interface version {INTERFACE_VERSION}")
        library = found.contents
        count = range(library.export_count)
        self._functions = [_Kernel(library.functions[i]) for i in count]
        #: bytes of scratch memory that one workgroup of each kernel wants for itself
        self.local_memory = [
            LOCAL_MEMORY_PAGE * library.attributes[i].local_memory_pages for i in count
        ]

    def __len__(self) -> int:
        return len(self._functions)

    def bind(
        self,
        ordinal: int,
        grid: tuple[int, int, int],
        constants: tuple[int, ...],
        views: list[np.ndarray],
    ) -> Callable[[tuple[int, int, int], int], None]:
        """Fix all arguments of a dispatch and return ``call(workgroup, core)``.

        Calls of different workgroups may run at the same time: ctypes frees the interpreter's
        lock, and each call has its own local memory.

        Parameters
        ----------
        ordinal
            Which kernel.
        grid
            Workgroups in x, y, z.
        constants
            32-bit arguments.
        views
            The bound ranges of buffers, uint8 and contiguous; they are kept alive.
        """
        state = _DispatchState(1, 1, 1, len(constants), *grid, 1, len(views))
        words = (c_uint32 * len(constants))(*(value % (1 << 32) for value in constants))
        places = (address * len(views))(*(view.ctypes.data for view in views))
        lengths = (c_size_t * len(views))(*(view.nbytes for view in views))
        state.constants, state.bindings, state.binding_lengths = words, places, lengths
        function, environment = self._functions[ordinal], ctypes.byref(self._environment)
        local_size = self.local_memory[ordinal]
        kept = (views, words, places, lengths, self)

        def call(workgroup: tuple[int, int, int], core: int) -> None:
            local = aligned(local_size)
            x, y, z = workgroup
            group = _WorkgroupState(x, y, z, 0, core, local.ctypes.data, local_size)
            status = function(environment, ctypes.byref(state), ctypes.byref(group))
            if status:
                raise RuntimeError(f"kernel {ordinal} failed with status {status} at {workgroup}")

        call.kept = kept  # the buffers live as long as what calls with them
        return call


def aligned(size: int) -> np.ndarray:
    """Return ``size`` zero bytes whose address is a multiple of 64."""
    memory = np.zeros(size + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]
