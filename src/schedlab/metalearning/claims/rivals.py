"""Parts of ATS taken away, later rivals, and the same compute spent on uniform training."""

from schedlab.lab.claims import Claim
from schedlab.metalearning import names
from schedlab.metalearning.claims.estimators import SOURCE, lead, noisy_among_selected

WHEN = {"unit": "accuracy", "reconstruction": True, "scales": ("laptop", "paper")}
RIVALS = {
    names.BASS: ("bass", "Meta-Learning with Neural Bandit Scheduler (2023)"),
    names.DERTS: ("derts", "arXiv 2405.07083"),
    names.ASR: ("asr", "Adaptive Sampler (2024)"),
}


def rival_claims() -> list[Claim]:
    """Return what this stage can decide."""
    return [*_ablations(), *_controls(), *_rivals()]


def _ablations() -> list[Claim]:
    return [
        Claim(
            id=f"metalearning/both-factors-not-worse-than-{slug}",
            sentence=f"With both factors ATS ends at most 0.01 below ATS with {words} alone",
            source=f"{SOURCE}; on letters",
            estimator=lead(names.ATS, label),
            holds_from=-0.01,
            min_seeds=10,
            figure="rivals",
            **WHEN,
        )
        for label, slug, words in (
            (names.LOSS_ONLY, "loss", "the loss"),
            (names.SIMILARITY_ONLY, "similarity", "gradient similarity"),
        )
    ]


def _controls() -> list[Claim]:
    return [
        Claim(
            id="metalearning/beats-untrained-scheduler",
            sentence="ATS ends above the same network with its random initial weights",
            source="control; on letters",
            estimator=lead(names.ATS, names.UNTRAINED),
            holds_from=0.0,
            null=0.0,
            figure="rivals",
            **WHEN,
        ),
        Claim(
            id="metalearning/beats-uniform-of-equal-compute",
            sentence="ATS ends above uniform training that may spend as many passes over tasks",
            source="control that the paper lacks; on letters",
            estimator=lead(names.ATS, names.MATCHED),
            holds_from=0.0,
            null=0.0,
            figure="score-against-compute",
            **WHEN,
        ),
        Claim(
            id="metalearning/literal-recipe-needs-more-steps",
            sentence="With the paper's step sizes and rewards so few steps teach the scheduler "
            "nothing: noisy tasks are selected within 5 % of their share",
            source="our expectation; on letters",
            estimator=noisy_among_selected(names.LITERAL),
            holds_from=0.95,
            holds_to=1.05,
            figure="rivals",
            **{**WHEN, "unit": "of their share"},
        ),
    ]


def _rivals() -> list[Claim]:
    return [
        Claim(
            id=f"metalearning/{slug}-beats-ats",
            sentence=f"The later {label} ends above ATS",
            source=f"{source}; on letters, from its description",
            estimator=lead(label, names.ATS),
            holds_from=0.0,
            null=0.0,
            figure="rivals",
            **WHEN,
        )
        for label, (slug, source) in RIVALS.items()
    ]
