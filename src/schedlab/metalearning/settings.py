"""Sizes of meta-training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Sizes of meta-training.

    Attributes
    ----------
    pool, batch
        Candidates of an iteration, and how many of them are taken, B.
    steps
        Meta-updates.
    meta_lr
        Adam's learning rate.
    pretrain
        Meta-updates on uniformly drawn batches before everything else, the same for all
        schedulers.
    pretrain_clean
        Whether those batches are free of noise, as in the published runs.
    evaluate_every
        Steps between two evaluations on the test tasks; 0 evaluates at start and end alone.
    test_steps
        Inner steps on test tasks; None takes as many as in training.
    test_chunk
        Test tasks adapted to at once.
    checkpoint_every
        Steps between two checkpoints, where there are any.
    """

    pool: int
    batch: int
    steps: int
    meta_lr: float = 1e-3
    pretrain: int = 0
    pretrain_clean: bool = True
    evaluate_every: int = 0
    test_steps: int | None = None
    test_chunk: int = 64
    checkpoint_every: int = 100
