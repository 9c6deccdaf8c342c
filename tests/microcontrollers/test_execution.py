import threading

import numpy as np
import pytest

from schedlab.lab.seeds import generator
from schedlab.microcontrollers.boards import board
from schedlab.microcontrollers.experiment.kernels import hand_out_of, random_inputs
from schedlab.microcontrollers.frontend import digits
from schedlab.microcontrollers.frontend.execute import HostModel, run_reference
from schedlab.microcontrollers.frontend.importer import ModelError
from schedlab.microcontrollers.frontend.kernels import Kernels
from schedlab.microcontrollers.frontend.queue import HandOut, WorkQueue
from schedlab.microcontrollers.schedulers import SCHEDULERS

NAMES = ("digits_resnet_int8", "digits_mlp_int8", "digits_cnn_f32")


@pytest.fixture(scope="module")
def models(compiled):
    return {name: HostModel(compiled(name)) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_random_orders_on_any_number_of_cores_give_the_runtimes_bytes(models, compiled, name):
    model = models[name]
    for seed in range(20):
        random = generator(seed, name)
        inputs = random_inputs(model.program, random)
        hand_outs = [HandOut.greedy(random.permutation(n).tolist()) for n in model.sizes]
        found = model.run(*inputs, plans=hand_outs, cores=1 + seed % 3)
        (wanted,) = run_reference(compiled(name), *inputs)
        assert found[0].tobytes() == wanted.tobytes()


@pytest.mark.parametrize("scheduler", sorted(set(SCHEDULERS) - {"optimal"}))  # slow
def test_every_scheduler_gives_the_same_bytes(models, scheduler):
    model = models["digits_resnet_int8"]
    image = digits.test_inputs("int8")[:1]
    two = board("rp2350-arm").with_cores(2)
    plans = [hand_out_of(SCHEDULERS[scheduler](), n, two) for n in model.sizes]
    assert np.array_equal(model.run(image, plans=plans, cores=2)[0], model.run(image)[0])


def test_nothing_is_left_from_the_inference_before(models):
    """Padding is filled anew each time, for the scratch memory is shared between layers."""
    model = models["digits_resnet_int8"]
    first, second = digits.test_inputs("int8")[:2, None]
    before = model.run(first)[0]
    for name in model.program.transients:
        model._buffers[name][:] = 0x55
    assert np.array_equal(model.run(first)[0], before)
    assert not np.array_equal(model.run(second)[0], before)


@pytest.mark.parametrize("name", NAMES[:2])
def test_the_default_networks_read_digits(models, name):
    _, _, _, labels = digits.digits()
    scores = [models[name].run(image[None])[0].ravel() for image in digits.test_inputs("int8")]
    assert np.mean(np.argmax(scores, axis=1) == labels) > 0.96


def test_each_thread_runs_what_it_owns(models):
    model = models["digits_resnet_int8"]
    seen = {}
    originals = dict(model._calls)
    for key, call in originals.items():
        model._calls[key] = lambda group, core, call=call: (
            seen.setdefault(core, set()).add(threading.get_ident()),
            call(group, core),
        )
    try:
        plans = [HandOut([[k] for k in range(n)], [k % 2 for k in range(n)]) for n in model.sizes]
        model.run(digits.test_inputs("int8")[:1], plans=plans, cores=2)
    finally:
        model._calls = originals
    assert set(seen) == {0, 1}


def test_every_workgroup_has_a_time(models):
    model = models["digits_resnet_int8"]
    times = model.workgroup_times(digits.test_inputs("int8")[:1], repeats=2)
    assert [len(t) for t in times] == model.sizes
    assert min(map(min, times)) > 0
    assert max(map(max, times)) < 10**10


def test_no_default_kernel_wants_local_memory(compiled):
    kernels = Kernels(compiled("digits_resnet_int8").kernels)
    assert kernels.local_memory == [0] * len(kernels)
    assert len(kernels) == 9


def test_inputs_and_plans_that_do_not_fit_are_refused(models, compiled):
    model = models["digits_resnet_int8"]
    image = digits.test_inputs("int8")[:1]
    with pytest.raises(ModelError, match=r"float32 \(1, 8, 8, 1\) given, int8 .* wanted"):
        model.run(image.astype(np.float32))
    with pytest.raises(ModelError, match="2 inputs given, 1 wanted"):
        model.run(image, image)
    missing = [HandOut.greedy(range(n - 1)) for n in model.sizes]
    with pytest.raises(ModelError, match="dispatch 0 must run each of its 1 workgroups once"):
        model.run(image, plans=missing)
    owned = [HandOut([list(range(n))], [2]) for n in model.sizes]
    with pytest.raises(ModelError, match="a core too many"):
        model.run(image, plans=owned, cores=2)
    with pytest.raises(ValueError, match="compiled for rv32imac, not host"):
        HostModel(compiled("digits_mlp_int8", "rv32imac"))


@pytest.mark.parametrize("steal", [False, True])
def test_a_queue_hands_out_everything_once(steal):
    owners = [k % 3 - 1 for k in range(500)]
    queue = WorkQueue(HandOut([[k] for k in range(500)], owners, steal))
    taken = [[], [], []]

    def work(core):
        while chunk := queue.take(core):
            taken[core].extend(chunk)

    threads = [threading.Thread(target=work, args=(core,)) for core in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(k for core in taken for k in core) == list(range(500))
    if not steal:
        assert all(owners[k] in (-1, core) for core in range(3) for k in taken[core])


def test_a_thief_takes_half_of_the_richest():
    queue = WorkQueue(HandOut([[k] for k in range(10)], [0] * 8 + [1] * 2, steal=True))
    assert queue.take(2) == [4]  # the second half of core 0's, in order
    assert [queue.take(2) for _ in range(3)] == [[5], [6], [7]]
    assert queue.take(0) == [0]
