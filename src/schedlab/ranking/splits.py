"""Training and held-out prompts that share no text."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit


def split_by_prompt(
    prompts: Sequence[str], held_out: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train on and those to hold out; equal prompts go the same way.

    People ask the same questions, and a predictor that has seen the answer's length would look
    better than it is.

    Parameters
    ----------
    prompts
        Texts, some perhaps repeated.
    held_out
        Share of the distinct prompts to hold out, between 0 and 1.
    seed
        Which split.
    """
    split = GroupShuffleSplit(n_splits=1, test_size=held_out, random_state=seed)
    return next(split.split(prompts, groups=pd.factorize(np.array(prompts, dtype=object))[0]))
