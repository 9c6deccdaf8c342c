"""Task schedulers: from what the meta-model thinks of candidate tasks to who is trained on."""

from schedlab.metalearning.schedulers.asr import ASr
from schedlab.metalearning.schedulers.ats import ATS, ReweightedATS, UntrainedATS
from schedlab.metalearning.schedulers.bass import BASS
from schedlab.metalearning.schedulers.class_pairs import ClassPairs
from schedlab.metalearning.schedulers.derts import GradientMedoids
from schedlab.metalearning.schedulers.heuristics import (
    Hardest,
    MostSimilar,
    Oracle,
    SelfPaced,
    Uniform,
)
from schedlab.metalearning.schedulers.information import SelfInformation
from schedlab.metalearning.schedulers.interface import (
    Bilevel,
    Feedback,
    Scheduler,
    Selection,
    State,
    sample,
    top,
)
from schedlab.metalearning.schedulers.presets import PRESETS
from schedlab.metalearning.schedulers.reshaping import DAML, Focal

__all__ = [
    "ATS",
    "BASS",
    "DAML",
    "PRESETS",
    "SCHEDULERS",
    "ASr",
    "Bilevel",
    "ClassPairs",
    "Feedback",
    "Focal",
    "GradientMedoids",
    "Hardest",
    "MostSimilar",
    "Oracle",
    "ReweightedATS",
    "Scheduler",
    "Selection",
    "SelfInformation",
    "SelfPaced",
    "State",
    "Uniform",
    "UntrainedATS",
    "sample",
    "top",
]

SCHEDULERS: dict[str, type[Scheduler]] = {
    "asr": ASr,
    "ats": ATS,
    "ats_reweighted": ReweightedATS,
    "ats_untrained": UntrainedATS,
    "bass": BASS,
    "daml": DAML,
    "derts": GradientMedoids,
    "focal": Focal,
    "gcp": ClassPairs,
    "hardest": Hardest,
    "most_similar": MostSimilar,
    "oracle": Oracle,
    "paml": SelfInformation,
    "self_paced": SelfPaced,
    "uniform": Uniform,
}
"""Scheduler classes by the name that ``params.yaml`` uses."""
