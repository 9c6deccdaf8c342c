"""How good an order is."""

import numpy as np
from scipy import stats


def kendall_tau(scores: np.ndarray, lengths: np.ndarray) -> float:
    """Return Kendall's tau-b between scores and shortness (the paper's equation 1).

    Parameters
    ----------
    scores
        Larger means expected shorter.
    lengths
        True output lengths, tokens.

    Returns
    -------
    1 for a perfect order, 0 for none. A constant score, for which tau is not defined, is no
    order: 0, where the authors' code has NaN.
    """
    found = stats.kendalltau(scores, -np.asarray(lengths)).statistic
    return 0.0 if np.isnan(found) else float(found)
