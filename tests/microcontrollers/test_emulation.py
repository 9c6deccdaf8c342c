import numpy as np
import pytest

from schedlab.microcontrollers import emulation
from schedlab.microcontrollers.emulation import MACHINES, machines, missing_programs
from schedlab.microcontrollers.emulation.costs import COUNTERS, host_output, measured_graph
from schedlab.microcontrollers.frontend import digits
from schedlab.microcontrollers.frontend.execute import HostModel
from schedlab.microcontrollers.frontend.importer import ModelError
from tests.microcontrollers.test_frontend import shipped_counts

ABSENT = sorted({p for machine in MACHINES.values() for p in missing_programs(machine)})
needs_emulator = pytest.mark.skipif(
    bool(ABSENT), reason=f"no {', '.join(ABSENT)}; on Debian: apt install {machines.PACKAGES}"
)
MODEL = "digits_mlp_int8"


@pytest.fixture(scope="module")
def digits_and_scores(compiled):
    """A hundred test digits, and the host's scores."""
    images = digits.test_inputs("int8")[:100]
    model = HostModel(compiled(MODEL))
    return images, np.stack([model.run(image[None])[0] for image in images])


@needs_emulator
@pytest.mark.parametrize("target", COUNTERS)
def test_counted_instructions_are_the_shipped_ones(compiled, target):
    compiled(MODEL), compiled(MODEL, target)
    path = digits.shipped_model(MODEL)
    found = measured_graph(path, target, "default", *host_output(path))
    shipped = shipped_counts()[MODEL][target]
    counts = [d["instructions"] for d in found["dispatches"]]
    wanted = [d["instructions"] for d in shipped["dispatches"]]
    if target == "thumbv6m_m0plus_softfp":  # multiplies 64 bits in a routine of the C compiler
        assert np.allclose(np.concatenate(counts), np.concatenate(wanted), rtol=0.05)
    else:
        assert counts == wanted


@needs_emulator
@pytest.mark.parametrize("machine", [m.name for m in MACHINES.values() if m.cores == 2])
def test_two_cores_give_the_hosts_output_a_hundred_times(compiled, digits_and_scores, machine):
    model = compiled(MODEL, MACHINES[machine].target)
    run = emulation.run_on_two_cores(model, machine, *digits_and_scores)
    assert (run.inferences, run.wrong) == (100, 0)
    assert sum(run.jobs) == 100 * sum(len(d.workgroups) for d in model.program.dispatches)


@needs_emulator
def test_a_wrong_output_is_noticed(compiled, digits_and_scores):
    images, scores = (a[:5] for a in digits_and_scores)
    wrong = scores.copy()
    wrong[3] ^= 1
    model = compiled(MODEL, "rv32imac")
    assert emulation.run_on_two_cores(model, "virt-smp2", images, wrong).wrong == 1
    assert not emulation.count(model, "virt", images[3], wrong[3]).output_is_right
    path = digits.shipped_model(MODEL)
    with pytest.raises(ValueError, match="the output differs from the host's"):
        measured_graph(path, "rv32imac", "default", images[3][None], wrong[3])


@needs_emulator
def test_kernels_of_another_machine_are_refused(compiled, digits_and_scores):
    images, scores = digits_and_scores
    model = compiled(MODEL, "rv32imac")
    with pytest.raises(ModelError, match=r"^digits_mlp_int8: refused at linking for mps2-an505"):
        emulation.count(model, "mps2-an505", images[0], scores[0])


def test_missing_programs_are_named_with_debians_packages(monkeypatch):
    monkeypatch.setattr(machines.shutil, "which", lambda _: None)
    assert missing_programs(MACHINES["virt"]) == ["riscv64-unknown-elf-gcc", "qemu-system-riscv32"]
    with pytest.raises(FileNotFoundError, match="apt install qemu-system-arm qemu-system-misc"):
        machines.require(MACHINES["virt"])
