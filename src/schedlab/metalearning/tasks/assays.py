"""Regression to bio-activities: each assay is a task, a molecule's fingerprint its input.

FS-Mol (5,131 ChEMBL assays, CC BY-SA 3.0) comes through the catalogue: the closest public stand-in
for the pQSAR assays of the paper, which everybody has to get for themselves.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from schedlab.data.catalog import fetch
from schedlab.metalearning.batches import Tasks
from schedlab.metalearning.tasks.files import open_arrays, refuse
from schedlab.metalearning.tasks.noise import Noise
from schedlab.metalearning.tasks.scores import squared_correlation
from schedlab.metalearning.tasks.world import TEST, TRAINING, VALIDATION, check_sizes, random_stream

ACTIVITY = 5.95  # pIC50 that is taken off all of FS-Mol's, about their mean
ASSAY_TYPES = ("B", "F", "A", "T")  # binding, functional, ADME, toxicity


@dataclass(frozen=True)
class AssaySet:
    """Rows of measurements, assay by assay.

    Attributes
    ----------
    features
        Inputs of distinct molecules, shape ``(molecules, d)``, bits packed into bytes if
        ``packed``.
    molecule
        Which of them a row is about, shape ``(rows,)``.
    targets
        Activity, shape ``(rows,)``.
    offsets
        Rows of assay t are ``offsets[t]`` to ``offsets[t + 1]``.
    split, family
        0 training, 1 validation, 2 test; and a number for pictures; one per assay.
    packed
        Whether features are packed bits.
    """

    features: np.ndarray
    molecule: np.ndarray
    targets: np.ndarray
    offsets: np.ndarray
    split: np.ndarray
    family: np.ndarray
    packed: bool = False

    def inputs(self, rows: np.ndarray) -> Tensor:
        """Return the features of some rows as float32."""
        found = self.features[self.molecule[rows]]
        return torch.from_numpy(np.unpackbits(found, axis=-1) if self.packed else found).float()


@dataclass
class AssayWorld:
    """Tasks of predicting an assay's activities from some of them; a :class:`~.world.World`.

    Attributes
    ----------
    source
        The assays; those with too few rows are left out.
    seed
        Of the budget, the validation tasks and the test tasks.
    shots, queries
        Rows to adapt on and to be judged by.
    noise
        How training assays are corrupted.
    budget
        How many training assays there are; ``None`` for all.
    validation_tasks, test_tasks
        How many of each; ``None`` for one of every assay.
    """

    source: AssaySet
    seed: int
    shots: int = 24
    queries: int = 24
    noise: Noise = field(default_factory=lambda: Noise(strength=4.0))
    budget: int | None = None
    validation_tasks: int | None = None
    test_tasks: int | None = None

    objective = "regression"
    outputs = 1
    score_name = "R²"
    score = staticmethod(squared_correlation)

    def __post_init__(self) -> None:
        """Choose the assays of the budget and draw the fixed tasks."""
        check_sizes(shots=self.shots, queries=self.queries, budget=self.budget or 1)
        large = np.diff(self.source.offsets) >= self.shots + self.queries
        splits = [np.flatnonzero(large & (self.source.split == part)) for part in range(3)]
        for part, assays in zip(("training", "validation", "test"), splits, strict=True):
            if not len(assays):
                raise ValueError(
                    f"world: no {part} assay has {self.shots} shots and {self.queries} queries"
                )
        self.assays = self._within_budget(splits[TRAINING])
        self.validation = self._fixed(splits[VALIDATION], self.validation_tasks, "validation")
        self.test = self._fixed(splits[TEST], self.test_tasks, "test")
        self.shape = tuple(self.test.x_query.shape[2:])

    def pool(self, n: int, generator: torch.Generator) -> Tasks:
        """Return ``n`` candidates for training, some of them corrupted."""
        return self.noise.corrupt(self.clean(n, generator), None, generator)

    def clean(self, n: int, generator: torch.Generator) -> Tasks:
        """Return the same candidates without corruption."""
        return self._draw(_pick(self.assays, n, generator), generator)

    def _within_budget(self, assays: np.ndarray) -> np.ndarray:
        if self.budget is None:
            return assays
        if self.budget > len(assays):
            raise ValueError(
                f"world: budget must not exceed the {len(assays)} training assays with enough "
                f"rows, got {self.budget}"
            )
        return _pick(assays, self.budget, random_stream(self.seed, "budget"))

    def _fixed(self, assays: np.ndarray, n: int | None, name: str) -> Tasks:
        stream = random_stream(self.seed, "world", name)
        return self._draw(assays if n is None else _pick(assays, n, stream), stream)

    def _draw(self, assays: np.ndarray, generator: torch.Generator) -> Tasks:
        starts, ends = self.source.offsets[assays], self.source.offsets[assays + 1]
        sizes = torch.from_numpy(ends - starts)
        keys = torch.rand(len(assays), int(sizes.max()), generator=generator)
        keys[torch.arange(keys.shape[1]) >= sizes[:, None]] = torch.inf
        picked = keys.topk(self.shots + self.queries, largest=False).indices.numpy()
        rows = starts[:, None] + picked
        x = self.source.inputs(rows)
        y = torch.from_numpy(self.source.targets[rows]).float().unsqueeze(-1)
        return Tasks(
            x[:, : self.shots],
            y[:, : self.shots],
            x[:, self.shots :],
            y[:, self.shots :],
            noisy=torch.zeros(len(assays), dtype=torch.bool),
            group=torch.from_numpy(self.source.family[assays]),
        )


def _pick(assays: np.ndarray, n: int, generator: torch.Generator) -> np.ndarray:
    """Return ``n`` of the assays, none twice before all were taken."""
    rounds = [torch.randperm(len(assays), generator=generator) for _ in range(-(-n // len(assays)))]
    return assays[torch.cat(rounds)[:n].numpy()]


@cache
def fsmol() -> AssaySet:
    """Return FS-Mol's assays with 1,024-bit fingerprints, through the catalogue.

    Raises
    ------
    FileNotFoundError
        If the catalogue cannot get them.
    """
    with np.load(fetch("fsmol-ecfp1024")) as stored:
        types = stored["assay_type"].astype(str)
        return AssaySet(
            features=stored["fp"],
            molecule=stored["mol"],
            targets=stored["y"] - np.float32(ACTIVITY),
            offsets=stored["offsets"].astype(np.int64),
            split=stored["split"],
            family=np.array([ASSAY_TYPES.index(kind) for kind in types]),
            packed=True,
        )


@cache
def assay_file(path: str) -> AssaySet:
    """Return assays of the user's own, for instance those of the paper.

    Parameters
    ----------
    path
        An ``.npz`` with ``features`` ``(rows, d)``, ``targets`` ``(rows,)``, ``offsets``
        ``(assays + 1,)`` from 0 to the number of rows, ``split`` ``(assays,)`` of 0 for training,
        1 for validation, 2 for test, and perhaps ``family``, a whole number per assay.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If its arrays are not as said.
    """
    found = open_arrays(Path(path), ("features", "targets", "offsets", "split"))
    features, targets = found["features"], found["targets"]
    offsets, split = found["offsets"], found["split"]
    family = found.get("family", np.zeros(len(split), dtype=np.int64))
    if features.ndim != 2 or not np.isfinite(features).all():
        refuse(path, "features", "finite numbers of shape (rows, d)", features)
    if targets.shape != (len(features),) or not np.isfinite(targets).all():
        refuse(path, "targets", "one finite number per row", targets)
    ends = offsets.ndim == 1 and len(offsets) > 1 and (offsets[0], offsets[-1]) == (0, len(targets))
    if not ends or (np.diff(offsets) < 0).any():
        refuse(path, "offsets", f"numbers that rise from 0 to the {len(targets)} rows", offsets)
    if split.shape != (len(offsets) - 1,) or not np.isin(split, (0, 1, 2)).all():
        refuse(path, "split", "0, 1 or 2 for each assay", split)
    if family.shape != split.shape:
        refuse(path, "family", "one number per assay", family)
    rows = np.arange(len(features))
    return AssaySet(
        features, rows, targets, offsets.astype(np.int64), split, family.astype(np.int64)
    )
