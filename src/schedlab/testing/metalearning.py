"""What is asked of a task sampler: ``weights(state)``, ``select`` and ``update(feedback)``.

``check_sampler`` takes what makes a scheduler from the number of parameter tensors and a seed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from schedlab.metalearning.schedulers.interface import Feedback, Selection, State
from schedlab.testing.contract import Broken, Make, Rule, check, name_of, require, require_method

__all__ = ["ORACLE_RULES", "SAMPLER_RULES", "check_sampler", "name_of"]

TENSORS, CANDIDATES, BATCH, STEPS = 4, 12, 3, 8
WAYS, SHOTS, FEATURES = 5, 2, 6
TOLERANCE = 1e-5
TOLD = {"progress", "step", "batch", "noisy", "classes"}  # in every state


def _source(*numbers: int) -> torch.Generator:
    return torch.Generator().manual_seed(sum(n * 1009**k for k, n in enumerate(numbers)))


def _state(step: int) -> State:
    """Return a pool of candidates without ties; a third of them noisy, with higher losses."""
    source = _source(step, 1)
    noisy = torch.rand(CANDIDATES, generator=source) < 1 / 3
    noisy[0], noisy[1] = True, False

    def draw(*shape: int) -> Tensor:
        return torch.randn(CANDIDATES, *shape, generator=source)

    def label(*shape: int) -> Tensor:
        return torch.randint(WAYS, (CANDIDATES, *shape), generator=source)

    return State(
        progress=step / (STEPS + 1),
        step=step,
        batch=BATCH,
        losses=draw().abs() + noisy.float(),
        cosines=draw(TENSORS).tanh(),
        norms=draw(TENSORS).abs(),
        features=draw(FEATURES),
        classes=torch.stack([torch.randperm(20, generator=source)[:WAYS] for _ in noisy]),
        noisy=noisy,
        support_features=draw(WAYS * SHOTS, FEATURES),
        support_labels=label(WAYS * SHOTS),
        support_gradients=draw(30),
        query_gradients=draw(30),
    )


def _weights(where: str, sampler: Any, state: State, final: bool = False) -> Tensor:
    """Return the weights of a pool, or say what is wrong with them."""
    found = sampler.weights(state, final=final)
    require(
        isinstance(found, Tensor) and found.shape == (state.size,),
        f"{where}: weights must be a tensor of shape ({state.size},), got {found!r}",
    )
    found = found.detach()
    for candidate, weight in enumerate(found.tolist()):
        at = f"{where}, candidate {candidate}"
        require(0 <= weight < float("inf"), f"{at}: its weight is {weight}, below 0 or not finite")
    total = float(found.sum())
    require(abs(total - 1) < TOLERANCE, f"{where}: the weights sum to {total:.6g} instead of 1")
    return found


def _selected(where: str, sampler: Any, weights: Tensor, source: torch.Generator) -> Selection:
    chosen = sampler.select(weights, BATCH, source)
    indices, coefficients = chosen.indices, chosen.coefficients
    for name, values in (("indices", indices), ("coefficients", coefficients)):
        right = values.ndim == 1 and len(values) in (BATCH, CANDIDATES)
        require(right, f"{where}: select must return {BATCH} {name}, got {tuple(values.shape)}")
    inside = bool(((indices >= 0) & (indices < CANDIDATES)).all())
    require(
        inside and not indices.is_floating_point(),
        f"{where}: indices must be positions in the pool of {CANDIDATES}, got {indices.tolist()}",
    )
    total = float(coefficients.sum())
    require(
        abs(total - 1) < TOLERANCE and bool((coefficients >= 0).all()),
        f"{where}: coefficients must not be negative and sum to 1, got {coefficients.tolist()}",
    )
    return chosen


def _feedback(state: State, weights: Tensor, chosen: Selection, paired: bool) -> Feedback:
    """Return what a loop would: the more clean tasks were taken, the better the reward."""
    source = _source(state.step, 2)
    clean = float((~state.noisy[chosen.indices]).float().mean())
    count = len(chosen.indices)
    return Feedback(
        state,
        weights,
        chosen,
        reward=0.2 + 0.6 * clean,
        reference=0.5 if paired else None,
        losses=state.losses[chosen.indices],
        confusion=torch.rand(count, WAYS, WAYS, generator=source).softmax(-1),
        task_rewards=0.2 + 0.6 * (~state.noisy[chosen.indices]).float(),
    )


def _walk(sampler: Any, first: int, last: int) -> Iterator[tuple[str, Tensor]]:
    """Go through steps of meta-training as the loop does; yield the weights of every decision."""
    bilevel = getattr(sampler, "bilevel", None)
    for step in range(first, last):
        where, state = f"step {step}", _state(step)
        weights = _weights(where, sampler, state)
        yield where, weights
        chosen = _selected(where, sampler, weights, _source(step, 3))
        told = _feedback(state, weights, chosen, getattr(bilevel, "baseline", "") == "paired")
        sampler.update(told if bilevel else replace(told, reward=None, task_rewards=None))
        if bilevel:
            final = _weights(f"{where}, final", sampler, state, final=True)
            yield f"{where}, final", final
            _selected(f"{where}, final", sampler, final, _source(step, 4))


def _trained(sampler: Any, steps: int) -> None:
    for _ in _walk(sampler, 0, steps):
        pass


def _made(make: Make, seed: int = 0) -> Any:
    return make(TENSORS, seed)


def _require_equal(where: str, left: Tensor, right: Tensor, within: float = 0.0) -> None:
    off = (left - right).abs()
    worst = int(off.argmax())
    require(
        float(off[worst]) <= within,
        f"{where}, candidate {worst}: its weight is {float(right[worst]):.6g} instead of "
        f"{float(left[worst]):.6g}",
    )


def has_the_interface(make: Make) -> None:
    """Require the methods of a task sampler, and needs that a loop can meet."""
    sampler = _made(make)
    require_method(sampler, "weights", "select", "update", "state_dict", "load_state_dict")
    known = {field.name for kind in (State, Feedback) for field in fields(kind)}
    for name in getattr(sampler, "needs", ()):
        require(name in known, f"needs: no loop computes {name!r}; there are {sorted(known)}")


def gives_a_distribution(make: Make) -> None:
    """Require weights that are not negative and sum to one, and selections of the batch's size."""
    _trained(_made(make), STEPS)


def asks_for_what_it_reads(make: Make) -> None:
    """Require that factors which it does not name in ``needs`` do not change its weights."""
    sampler = _made(make)
    state = _state(0)
    named = set(getattr(sampler, "needs", ()))
    named |= {"support_labels"} if "support_features" in named else set()
    lean = {f.name: None for f in fields(State) if f.name not in named | TOLD}
    _require_equal(
        f"step 0, with nothing but {sorted(named)} computed",
        _weights("step 0", sampler, state),
        _weights("step 0", _made(make), replace(state, **lean)),
    )


def does_not_know_what_is_noisy(make: Make) -> None:
    """Require weights that do not change with what only an oracle may look at."""
    for step in range(2):
        state = _state(step)
        other = replace(state, noisy=~state.noisy)
        _require_equal(
            f"step {step}, where only state.noisy differs",
            *(_weights(f"step {step}", _made(make), each) for each in (state, other)),
        )


def follows_the_candidates(make: Make) -> None:
    """Require that the weights move with the candidates when these come in another order."""
    state = _state(STEPS)
    order = torch.randperm(CANDIDATES, generator=_source(0))
    moved = {
        field.name: getattr(state, field.name)[order]
        for field in fields(State)
        if isinstance(getattr(state, field.name), Tensor)
    }
    found = []
    for pool in (state, replace(state, **moved)):
        sampler = _made(make)
        _trained(sampler, STEPS)  # before that, what goes by experience has nothing but ties
        found.append(_weights(f"step {STEPS}", sampler, pool))
    _require_equal(f"step {STEPS}, in another order", found[0][order], found[1], TOLERANCE)


def answers_alike_until_told(make: Make) -> None:
    """Require equal weights for an equal pool until ``update``, and an untouched state."""
    sampler = _made(make)
    _trained(sampler, 2)
    state = _state(5)
    kept = {f.name: _cloned(getattr(state, f.name)) for f in fields(State)}
    first = _weights("step 5", sampler, state)
    _weights("step 6", sampler, _state(6))
    _require_equal("step 5, asked again", first, _weights("step 5", sampler, state))
    for name, value in kept.items():
        now = getattr(state, name)
        same = torch.equal(now, value) if isinstance(now, Tensor) else now == value
        require(same, f"step 5: it changed state.{name}")


def _cloned(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def is_deterministic(make: Make) -> None:
    """Require equal weights under an equal seed, whatever torch's global generator holds."""
    with torch.random.fork_rng(devices=[]):
        runs = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            runs.append(list(_walk(_made(make, 3), 0, STEPS)))
    for (where, left), (_, right) in zip(*runs, strict=True):
        _require_equal(f"{where}, under another torch.manual_seed", left, right)


def resumes_where_it_stopped(make: Make) -> None:
    """Require that a sampler loaded from ``state_dict`` goes on bit for bit."""
    stop = STEPS // 2
    whole = _made(make)
    _trained(whole, stop)
    resumed = _made(make, 1)
    resumed.load_state_dict(_through_a_file(whole.state_dict()))
    both = zip(_walk(whole, stop, STEPS), _walk(resumed, stop, STEPS), strict=True)
    for (where, left), (_, right) in both:
        _require_equal(f"{where}, loaded after step {stop - 1}", left, right)


def _through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    try:
        return torch.load(file, weights_only=True)
    except Exception as error:
        message = "state_dict must hold tensors, numbers and strings, for weights_only loading"
        raise Broken(f"{message}: {str(error).splitlines()[0]}") from error


ORACLE_RULES: tuple[Rule, ...] = (
    has_the_interface,
    gives_a_distribution,
    asks_for_what_it_reads,
    follows_the_candidates,
    answers_alike_until_told,
    is_deterministic,
    resumes_where_it_stopped,
)
"""What holds for a sampler that is meant to know which tasks are noisy, too."""

SAMPLER_RULES: tuple[Rule, ...] = (*ORACLE_RULES, does_not_know_what_is_noisy)


def check_sampler(make: Make, *, oracle: bool = False) -> None:
    """Hold a task sampler to its contract.

    Parameters
    ----------
    make
        Takes the number of parameter tensors and a seed, and returns a fresh sampler: the class, or
        a ``functools.partial`` with options.
    oracle
        Whether it is meant to know which tasks are noisy.

    Raises
    ------
    AssertionError
        Naming each broken rule, the step and the candidate.
    """
    check(make, ORACLE_RULES if oracle else SAMPLER_RULES)
