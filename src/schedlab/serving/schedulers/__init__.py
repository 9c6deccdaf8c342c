"""Schedulers of one replica: pure decisions over its state.

A scheduler is any class with keyword options and a method
``schedule(state, now) -> {request_id: tokens}`` (or a :class:`Decision`, which can preempt).
:class:`Draft` keeps the books for schedulers that want to honour memory and budget.
"""

from schedlab.serving.schedulers.faster_transformer import FasterTransformer
from schedlab.serving.schedulers.interface import Decision, Scheduler
from schedlab.serving.schedulers.mlfq import MLFQ
from schedlab.serving.schedulers.orca import Orca
from schedlab.serving.schedulers.perception_only import PerceptionOnly
from schedlab.serving.schedulers.priority import Priority
from schedlab.serving.schedulers.rad import RAD
from schedlab.serving.schedulers.sarathi import Sarathi
from schedlab.serving.schedulers.slai import SLAI
from schedlab.serving.schedulers.static_split import StaticSplit
from schedlab.serving.schedulers.steps import Draft
from schedlab.serving.schedulers.vllm_v0 import VLLMv0
from schedlab.serving.schedulers.vllm_v1 import VLLMv1

__all__ = [
    "MLFQ",
    "RAD",
    "SCHEDULERS",
    "SLAI",
    "Decision",
    "Draft",
    "FasterTransformer",
    "Orca",
    "PerceptionOnly",
    "Priority",
    "Sarathi",
    "Scheduler",
    "StaticSplit",
    "VLLMv0",
    "VLLMv1",
]

SCHEDULERS: dict[str, type] = {
    "faster_transformer": FasterTransformer,
    "mlfq": MLFQ,
    "orca": Orca,
    "perception_only": PerceptionOnly,
    "priority": Priority,
    "rad": RAD,
    "sarathi": Sarathi,
    "slai": SLAI,
    "static_split": StaticSplit,
    "vllm_v0": VLLMv0,
    "vllm_v1": VLLMv1,
}
"""Scheduler classes by the name that ``params.yaml`` uses."""
