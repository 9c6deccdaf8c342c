"""The loop of meta-training between two iterations, and one iteration of it.

As in figure 1 of "Meta-learning with an Adaptive Task Scheduler" (2021): (1) the factors of all
candidates; (2) a selection, a temporary meta-model, its reward, an update of the scheduler;
(3) with the updated scheduler a new selection, on which the real meta-model is updated. A scheduler
that does not learn from rewards skips (2), and (1) if it needs no factors.

What (1) finds out serves (2) and (3): one forward and one backward pass over the pool hold the
meta-gradient of every selection from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from schedlab.metalearning.batches import Tasks, pick, stack
from schedlab.metalearning.learners.candidates import Candidates, Learner, confusion
from schedlab.metalearning.learners.factors import Similarity
from schedlab.metalearning.learners.records import Params
from schedlab.metalearning.pools import FACTORS, Choice, Pool, choose, pool_of
from schedlab.metalearning.recording import Log
from schedlab.metalearning.rewards import reward, temporary, validation_batch
from schedlab.metalearning.schedulers.interface import Scheduler, State
from schedlab.metalearning.settings import Settings
from schedlab.metalearning.tasks.world import World, random_stream

STREAMS = ("pool", "selection", "validation", "warm_up")


class MetaTraining:
    """Meta-training of several seeds, one iteration at a time.

    Parameters
    ----------
    learner, worlds, schedulers, settings, seeds
        As in :func:`schedlab.metalearning.training.train`.
    params
        To start from.

    Attributes
    ----------
    done, total
        Iterations, those of a warm-up included.
    params, optimizer, streams, schedulers, log
        All that changes from one iteration to the next.
    """

    def __init__(
        self,
        learner: Learner,
        worlds: Sequence[World],
        schedulers: Sequence[Scheduler],
        settings: Settings,
        seeds: Sequence[int],
        params: Params,
    ) -> None:
        self.learner, self.worlds, self.settings = learner, list(worlds), settings
        self.schedulers, self.seeds = list(schedulers), list(seeds)
        self.params = {name: value.detach().clone() for name, value in params.items()}
        self.optimizer = adam(self.params, settings.meta_lr)
        self.streams = {n: [random_stream(seed, n) for seed in seeds] for n in STREAMS}
        self.log, self.done = Log(self.seeds), 0
        self.needs, self.bilevel = schedulers[0].needs, schedulers[0].bilevel
        self.warm_up = self.bilevel.warm_up if self.bilevel else 0
        self.total = self.warm_up + settings.steps
        self._cached: tuple[Tasks, Pool] | None = None
        self._reference: Tensor | None = None

    def advance(self) -> None:
        """Do one iteration, of the warm-up first."""
        if self.done < self.warm_up:
            self._warm_up_step()
        else:
            self._training_step(self.done - self.warm_up)
        self.done += 1

    def evaluate(self, step: int) -> None:
        """Note loss and score of every test task, as the meta-models are."""
        tests = stack([world.test for world in self.worlds])
        outputs = [
            self.learner.outputs(self.params, part, self.settings.test_steps)
            for part in tests.split(self.settings.test_chunk)
        ]
        predicted = self.learner.objective.predict(torch.cat(outputs, 1))
        score = self.worlds[0].score(predicted, tests.y_query)
        loss = self.learner.objective.loss(torch.cat(outputs, 1), tests.y_query)
        self.log.scores.append({"step": step, "score": score, "loss": loss})

    def _warm_up_step(self) -> None:
        """Let the schedulers learn while the meta-models stand still."""
        tasks, pool, passes = self._warm_up_pool()
        states = self._states(pool)
        choice, rewards, cost = self._teach(pool, states)
        self._note(("warm_up", self.done), tasks, pool, choice, rewards, passes + cost)

    def _training_step(self, step: int) -> None:
        """Update the meta-models on a selection, and before that schedulers that learn."""
        every = self.settings.evaluate_every
        if step == 0 or (every and step % every == 0):
            self.evaluate(step)
        tasks = draw(self.worlds, self.settings.pool, self.streams["pool"])
        candidates, passes = self._known(tasks)
        pool, rewards = pool_of(tasks, candidates, self.needs), None
        states = self._states(pool)
        if self.bilevel:
            _, rewards, cost = self._teach(pool, states)
            passes += cost
        choice = self._choose(states, final=True)
        if candidates is None:
            candidates, passes = self._look(tasks.take(choice.index))
            taken = torch.arange(choice.index.shape[1]).expand_as(choice.index)
        else:
            taken = choice.index
        apply_gradient(self.optimizer, self.params, candidates.gradient(taken, choice.coefficients))
        self._tell(states, choice, candidates, taken, tasks.take(choice.index))
        self._note(("training", step), tasks, pool, choice, rewards, passes)
        if step + 1 == self.settings.steps:
            self.evaluate(step + 1)

    def _known(self, tasks: Tasks) -> tuple[Candidates | None, int]:
        """Return what schedulers must know of a whole pool, if anything."""
        if self.bilevel is None and not self.needs & FACTORS:
            return None, 0
        return self._look(tasks)

    def _look(self, tasks: Tasks) -> tuple[Candidates, int]:
        """Return what the learner finds out about tasks, and what that cost."""
        wanted = similarity_of(self.schedulers[0])
        found = self.learner.candidates(self.params, tasks, wanted, self.schedulers[0].query_loss)
        backward = 2 if wanted and wanted.scope == "all" else 1
        return found, tasks.noisy.shape[1] * (1 + 2 * backward)

    def _warm_up_pool(self) -> tuple[Tasks, Pool, int]:
        """Return a pool of new candidates, or of some that were looked at once and for all."""
        size, passes = self.settings.pool, 0
        if not self.bilevel.cached:
            tasks = draw(self.worlds, size, self.streams["warm_up"])
            candidates, passes = self._look(tasks)
            return tasks, pool_of(tasks, candidates, self.needs), passes
        if self._cached is None:
            streams = [random_stream(seed, "cache") for seed in self.seeds]
            tasks = draw(self.worlds, max(self.bilevel.cached_tasks, size), streams)
            candidates, cost = self._look(tasks)
            passes = 0 if self.done else cost  # a resumed run looks again, at no charge
            self._cached = tasks, pool_of(tasks, candidates, self.needs)
        tasks, pool = self._cached
        count = tasks.noisy.shape[1]
        orders = [torch.randperm(count, generator=g)[:size] for g in self.streams["warm_up"]]
        return tasks.take(torch.stack(orders)), pool.take(torch.stack(orders)), passes

    def _teach(self, pool: Pool, states: list[State]) -> tuple[Choice, Tensor, int]:
        """Reward every scheduler by what a temporary step on its selection is worth."""
        choice = self._choose(states, final=False)
        validation = validation_batch(
            self.worlds, self.bilevel.validation_tasks, self.streams["validation"]
        )
        score = partial(reward, self.learner, self.worlds[0], self.bilevel, tasks=validation)
        moved = partial(temporary, self.params, pool.gradient, lr=self._temporary_lr())
        rewards, evaluations = score(moved(choice.index, choice.coefficients)), 1
        found: dict[str, Tensor] = {"reward": rewards}
        if self.bilevel.baseline == "paired":
            found["reference"], again = self._referred(score)
            evaluations += again
        if "task_rewards" in self.needs:
            ones = torch.ones(len(self.seeds), 1)
            alone = [score(moved(index, ones)) for index in choice.index.split(1, 1)]
            found["task_rewards"] = torch.stack(alone, 1)
            evaluations += len(alone)
        for seed, (scheduler, state) in enumerate(zip(self.schedulers, states, strict=True)):
            own = {k: v[seed] if v.ndim > 1 else float(v[seed]) for k, v in found.items()}
            scheduler.update(choice.feedback(seed, state, **own))
        return choice, rewards, evaluations * validation.noisy.shape[1]

    def _referred(self, score: Callable[[Params], Tensor]) -> tuple[Tensor, int]:
        """Return the reward of the meta-models as they are, and what it took.

        It is that of the step before where neither they nor the validation tasks changed. A
        resumed run computes it again, at no charge, for equal tables.
        """
        same = self.bilevel.validation_tasks is None and 0 < self.done < self.warm_up
        if not same or self._reference is None:
            self._reference = score(self.params)
        return self._reference, 0 if same else 1

    def _tell(
        self,
        states: list[State],
        choice: Choice,
        candidates: Candidates,
        taken: Tensor,
        tasks: Tasks,
    ) -> None:
        """Let schedulers that learn without rewards know how their selection went."""
        if self.bilevel:
            return
        found = {"losses": pick(candidates.losses, taken)}
        if "confusion" in self.needs:
            found["confusion"] = confusion(pick(candidates.outputs, taken), tasks.y_query)
        for seed, (scheduler, state) in enumerate(zip(self.schedulers, states, strict=True)):
            own = {name: values[seed] for name, values in found.items()}
            scheduler.update(choice.feedback(seed, state, **own))

    def _states(self, pool: Pool) -> list[State]:
        progress, step = self.done / (self.total + 1), max(self.done - self.warm_up, 0)
        return pool.states(progress=progress, step=step, batch=self.settings.batch)

    def _choose(self, states: list[State], *, final: bool) -> Choice:
        streams = self.streams["selection"]
        return choose(self.schedulers, states, self.settings.batch, streams, final=final)

    def _temporary_lr(self) -> float:
        chosen = self.bilevel.temporary_lr
        return self.learner.inner_lr if chosen is None else chosen

    def _note(
        self,
        when: tuple[str, int],
        tasks: Tasks,
        pool: Pool,
        choice: Choice,
        rewards: Tensor | None,
        passes: int,
    ) -> None:
        cosines = pool.fields.get("cosines")
        noisy, missing = tasks.noisy, torch.tensor(float("nan"))
        taken = torch.zeros_like(choice.weights, dtype=torch.int64)
        used = (choice.coefficients > 0).long()
        event = {
            "phase": when[0],
            "step": when[1],
            "noisy": noisy,
            "group": torch.full_like(taken, -1) if tasks.group is None else tasks.group,
            "loss": pool.fields.get("losses", missing.expand(noisy.shape)),
            "similarity": missing.expand(noisy.shape) if cosines is None else cosines.mean(-1),
            "weight": choice.weights,
            "selected": taken.scatter_add(1, choice.index, used),
            "reward": missing.expand(len(noisy)) if rewards is None else rewards,
            "passes": passes,
        }
        self.log.steps.append(event)


def similarity_of(scheduler: Scheduler) -> Similarity | None:
    """Return which similarity of gradients a scheduler's needs imply."""
    if not scheduler.needs & {"cosines", "norms"}:
        return None
    if scheduler.bilevel is None:
        return Similarity()
    return Similarity(scheduler.bilevel.similarity, scheduler.bilevel.scope)


def draw(
    worlds: Sequence[World],
    size: int,
    streams: Sequence[torch.Generator],
    *,
    clean: bool = False,
) -> Tasks:
    """Draw candidates of every seed from its world."""
    pairs = zip(worlds, streams, strict=True)
    return stack([w.clean(size, g) if clean else w.pool(size, g) for w, g in pairs])


def adam(params: Params, lr: float) -> torch.optim.Adam:
    """Return the outer optimizer of stacked parameters; Adam acts on every number by itself."""
    return torch.optim.Adam(params.values(), lr=lr, fused=True)


def apply_gradient(optimizer: torch.optim.Adam, params: Params, gradient: Params) -> None:
    """Take the outer step."""
    for name, value in params.items():
        value.grad = gradient[name].contiguous()
    optimizer.step()
