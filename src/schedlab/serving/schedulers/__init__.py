"""Schedulers of one replica: pure decisions over its state.

A scheduler is any class with keyword options and a method
``schedule(state, now) -> {request_id: tokens}`` (or a :class:`Decision`, which can preempt).
:class:`Draft` keeps the books for schedulers that want to honour memory and budget.
"""

from schedlab.serving.schedulers.interface import Decision, Scheduler
from schedlab.serving.schedulers.sarathi import Sarathi
from schedlab.serving.schedulers.slai import SLAI
from schedlab.serving.schedulers.steps import Draft
from schedlab.serving.schedulers.vllm_v0 import VLLMv0

__all__ = [
    "SCHEDULERS",
    "SLAI",
    "Decision",
    "Draft",
    "Sarathi",
    "Scheduler",
    "VLLMv0",
]

SCHEDULERS: dict[str, type] = {"sarathi": Sarathi, "slai": SLAI, "vllm_v0": VLLMv0}
"""Scheduler classes by the name that ``params.yaml`` uses."""
