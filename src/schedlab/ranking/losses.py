"""Losses of learning to rank, on one list of scores and labels at a time.

Scores and labels have shape (n,) and grow as the answer gets shorter. Labels may tie; ListMLE
needs a full order and draws one, which is why every loss takes a generator.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, relu, softplus

ListLoss = Callable[[Tensor, Tensor, torch.Generator], Tensor]
MARGIN = 1.0


def listmle(scores: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return minus the log-likelihood of the labels' order under the Plackett-Luce model.

    *Efficient LLM Scheduling by Learning to Rank* (arXiv 2408.15792), equation 2, after Xia et
    al., *Listwise Approach to Learning to Rank*, 2008: with the labels sorted downwards,
    ``sum_i [log sum_{k >= i} exp(s_k) - s_i]``. Tied labels are ordered at random, anew at each
    call. The authors' code takes the logarithm of a cumulative sum plus 1e-10, which saturates
    when scores are more than 23 apart; here it is a ``logcumsumexp``.

    Parameters
    ----------
    scores, labels
        Shape (n,).
    generator
        Breaks the ties.
    """
    shuffled = torch.randperm(len(labels), generator=generator).to(labels.device)
    order = shuffled[torch.argsort(labels[shuffled], descending=True, stable=True)]
    ordered = scores[order]
    return (ordered.flip(0).logcumsumexp(0).flip(0) - ordered).sum()


def listnet(scores: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the cross entropy between the top-one probabilities of labels and scores.

    Cao et al., *Learning to Rank: From Pairwise Approach to Listwise Approach*, 2007. Their
    labels are grades of relevance; ours, which span hundreds of buckets, are brought to zero mean
    and unit deviation within the list first, our choice.
    """
    spread = labels.float() - labels.float().mean()
    wanted = torch.softmax(spread / spread.std(correction=0).clamp(min=1e-6), dim=0)
    return -(wanted * log_softmax(scores, dim=0)).sum()


def ranknet(scores: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean logistic loss over the pairs with different labels.

    Burges et al., *Learning to Rank using Gradient Descent*, 2005.
    """
    return _mean(softplus(-_leads(scores, labels)))


def margin(scores: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean hinge loss over the pairs with different labels, with margin 1.

    The pairwise loss of PARS (arXiv 2510.03243).
    """
    return _mean(relu(MARGIN - _leads(scores, labels)))


def _leads(scores: Tensor, labels: Tensor) -> Tensor:
    """Return how far the score of the higher label leads, for each pair with different labels."""
    leads = scores[:, None] - scores[None, :]
    return leads[labels[:, None] > labels[None, :]]


def _mean(losses: Tensor) -> Tensor:
    """Return the mean, which for a list of equal labels is zero."""
    return losses.sum() / max(1, losses.numel())


LIST_LOSSES: dict[str, ListLoss] = {
    "listmle": listmle,
    "listnet": listnet,
    "ranknet": ranknet,
    "margin": margin,
}
"""Losses of an order by the name that ``params.yaml`` uses."""
