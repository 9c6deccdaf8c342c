"""Schedulers for vLLM's V1 engine: SLAI, or prompts in the order of a ranker.

Needs the extra ``schedlab[vllm]``; vLLM itself is imported when one of the classes is asked for::

    LLM(
        model,
        scheduler_cls="schedlab.serving.vllm.SLAIScheduler",
        additional_config={"schedlab": {"order": "spf", "offset": "dynamic"}},
    )
    SamplingParams(extra_args={"tbt_limit_s": 0.1})  # a request's own limit; vllm_xargs over HTTP

``SLAIScheduler`` and ``RankedScheduler`` extend vLLM's ``Scheduler``, ``SLAIAsyncScheduler`` and
``RankedAsyncScheduler`` its ``AsyncScheduler``; with the first two vLLM turns asynchronous
scheduling off. Each decides who goes first and who waits, then vLLM builds the batch: it
allocates and preempts, and keeps its own rules for prefix caching, LoRA and structured output.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import time
from collections.abc import Callable, Iterable
from functools import cache
from math import inf, isfinite, isnan
from numbers import Real
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from schedlab.serving.request import BatchEnd
from schedlab.serving.schedulers.slai import SLAI

logger = logging.getLogger(__name__)

TRIED = "0.32 and 0.33"
"""Versions of vLLM that the contract tests have run against."""

SCHEDULER = "vllm.v1.core.sched.scheduler:Scheduler"
QUEUE = "vllm.v1.core.sched.request_queue:RequestQueue"
MANAGER = "vllm.v1.core.kv_cache_manager:KVCacheManager"

PARAMETERS: dict[str, tuple[str, ...]] = {
    f"{SCHEDULER}.schedule": ("self",),
    f"{SCHEDULER}.update_from_output": ("self", "scheduler_output", "model_runner_output"),
    f"{QUEUE}.add_request": ("self", "request"),
    f"{QUEUE}.remove_requests": ("self", "requests"),
    f"{MANAGER}.get_computed_blocks": ("self", "request"),
    "vllm.v1.core.block_pool:BlockPool.get_num_free_blocks": ("self",),
}
"""The methods that are called or extended, and how their parameters must begin."""

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    f"{SCHEDULER}.__init__": ("requests", "running", "waiting", "max_num_running_reqs"),
    f"{SCHEDULER}.schedule": (
        *("current_step", "next_decode_eligible_step", "max_num_scheduled_tokens"),
        *("is_prefill_chunk", "num_computed_tokens", "num_output_placeholders"),
        *("num_tokens", "num_tokens_with_spec"),
    ),
    f"{MANAGER}.__init__": ("block_pool", "watermark_blocks"),
    "vllm.v1.core.block_pool:BlockPool.__init__": ("num_gpu_blocks",),
}
"""The attributes that are relied on, by a method of vLLM whose code must name them."""


NOT_IN_VLLM = {"token_budget", "max_num_seqs", "decodes"}
"""Options of SLAI that are vLLM's own, or that need a rank."""


def interface_problems() -> list[str]:
    """Return what the installed vLLM lacks of the interface that the schedulers rely on."""
    problems = []
    for path, parameters in PARAMETERS.items():
        code = _code(path)
        if code is None:
            problems.append(f"{path} is missing")
        elif (found := code.co_varnames[: code.co_argcount])[: len(parameters)] != parameters:
            problems.append(f"{path} takes {found}, its parameters should begin with {parameters}")
    for path, names in ATTRIBUTES.items():
        code = _code(path)
        lost = [name for name in names if code is None or name not in code.co_names]
        problems += [f"{path} no longer uses {name!r}" for name in lost]
    return problems


def _code(path: str) -> Any:
    try:
        return pkgutil.resolve_name(path).__code__
    except (AttributeError, ModuleNotFoundError) as error:
        if (error.name or "").startswith("vllm") or isinstance(error, AttributeError):
            return None
        raise  # a package that vLLM itself needs


class Decode(NamedTuple):
    """What decides when a decode becomes critical, see :class:`SLAI`."""

    ready: BatchEnd | None
    tbt_limit_s: float | None


class SLAIPolicy:
    """SLAI over a V1 scheduler: its order, its limits, and its last schedulable times.

    Options come from ``additional_config["schedlab"]`` and are those of
    :class:`schedlab.serving.schedulers.SLAI`, except that vLLM's ``max_num_batched_tokens``
    and ``max_num_seqs`` are the token budget and the limit of running requests.

    Notes
    -----
    Kept exactly: LSTs, their order and the limits; critical decodes come before prompts; started
    prompts keep their order and come before new ones, in FCFS or SPF order; a decode with slack
    runs only with tokens that no prompt takes. To let it wait, its
    ``next_decode_eligible_step`` is put one step off, which vLLM honours for every running
    request: it keeps its blocks and its place among ``max_num_seqs``.

    Foreseen rather than known: which prompts vLLM is about to admit, since it serves running
    requests first. Budget, ``max_num_seqs``, free blocks, watermark and the prefix cache are
    counted; several groups of KV cache, LoRA slots and remote KV are not. When a batch turns
    out smaller than foreseen, no decode has to wait in the next one.

    Not kept when memory runs out: decodes with slack take their blocks before new prompts
    are admitted, prompts take theirs chunk by chunk, and vLLM preempts only when a block is
    really needed, from the end of the running list (prompts by last admission, then decodes by
    latest LST, where SLAI preempts the decode itself), and admits nobody in that batch.

    With asynchronous scheduling the last token known is one batch older, so a decode becomes
    critical about one mean batch time earlier.
    """

    clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._slai = SLAI(
            token_budget=self.max_num_scheduled_tokens,
            max_num_seqs=self.max_num_running_reqs,
            **_options(self, set(SLAI.__init__.__kwdefaults__) - NOT_IN_VLLM),
        )
        if self._slai.order == "ranked":
            raise ValueError("order 'ranked' needs priorities, which vLLM's requests do not carry")
        self._limits: WeakKeyDictionary[Any, float | None] = WeakKeyDictionary()
        self._last_schedulable: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        self._begun_s: dict[int, float] = {}
        self._ended_s = -inf
        self._mean_batch_time_s, self._batches = 0.0, 0
        self._foreseen = True

    def schedule(self, *args: Any, **kwargs: Any) -> Any:
        """Put requests in SLAI's order, let decodes with slack wait, and have vLLM schedule."""
        now = self.clock()
        if self._slai.order == "spf":
            reorder(self.waiting, self._prompt_order)
        expected = self._arrange(now)
        output = super().schedule(*args, **kwargs)
        self._foreseen = output.total_num_scheduled_tokens >= expected
        if output.total_num_scheduled_tokens:
            self._begun_s[id(output)] = now
        return output

    def update_from_output(self, scheduler_output: Any, model_runner_output: Any) -> Any:
        """Let vLLM take the tokens in, then note when each of these requests is due again."""
        outputs = super().update_from_output(scheduler_output, model_runner_output)
        begun_s = self._begun_s.pop(id(scheduler_output), None)
        if begun_s is not None:
            ready = self._end_batch(begun_s)
            for request_id in scheduler_output.num_scheduled_tokens:
                request = self.requests.get(request_id)
                if request is not None and not request.is_prefill_chunk:
                    self._last_schedulable[request] = self._due(request, ready)
        return outputs

    def _end_batch(self, begun_s: float) -> BatchEnd:
        now = self.clock()
        duration = now - max(begun_s, self._ended_s)  # batches may queue up before the device
        self._ended_s = now
        self._batches += 1
        self._mean_batch_time_s += (duration - self._mean_batch_time_s) / self._batches
        return self._batch_end(now)

    def _batch_end(self, now: float) -> BatchEnd:
        started = [request for request in self.running if request.is_prefill_chunk]
        blocks = self.kv_cache_manager.block_pool.num_gpu_blocks - 1  # one of them is never used
        promised = self._blocks_to_come(started) / blocks
        return BatchEnd(now, self._mean_batch_time_s, self.kv_cache_manager.usage + promised)

    def _blocks_to_come(self, requests: Iterable[Any]) -> int:
        """Return the blocks that the tokens these requests still owe will take.

        SLAI gives a prompt all its blocks when it starts, vLLM gives them chunk by chunk.
        """
        size = self.block_size
        return sum(-(-r.num_tokens // size) - -(-r.num_computed_tokens // size) for r in requests)

    def _due(self, request: Any, ready: BatchEnd) -> float:
        return self._slai.last_schedulable_time(Decode(ready, self._limit(request)))

    def _prompt_order(self, request: Any) -> tuple[float, int] | int:
        if not self._slai.user_priority:
            return request.num_tokens
        return self._slai.tbt_limit_s(Decode(None, self._limit(request))), request.num_tokens

    def _limit(self, request: Any) -> float | None:
        if request not in self._limits:
            self._limits[request] = tbt_limit_s(request)
        return self._limits[request]

    def _arrange(self, now: float) -> int:
        """Order the running requests, let some of them wait; return the tokens to expect."""
        prompts = [request for request in self.running if request.is_prefill_chunk]
        decodes = [request for request in self.running if not request.is_prefill_chunk]
        unknown = [request for request in decodes if request not in self._last_schedulable]
        for request in unknown:  # its last batch is still under way, or it came from elsewhere
            self._last_schedulable[request] = self._due(request, self._batch_end(now))
        lst = self._last_schedulable
        decodes.sort(key=lambda each: (lst[each], each.arrival_time, each.request_id))
        self.running[:] = decodes + prompts
        critical = [request for request in decodes if lst[request] <= now]
        demand = self._prompt_tokens(critical, prompts) if self._foreseen else 0
        waits, expected = defer(
            [(lst[request], owed(request)) for request in decodes],
            now,
            demand,
            self.max_num_scheduled_tokens,
            self._slai.limit_total_decodes,
        )
        for at in waits:
            request, after = decodes[at], self.current_step + 2  # the next step is + 1
            request.next_decode_eligible_step = max(request.next_decode_eligible_step, after)
        return expected

    def _prompt_tokens(self, critical: list[Any], started: list[Any]) -> int:
        """Return the tokens that prompts will ask for, up to the budget."""
        memory, block = self.kv_cache_manager, self.block_size
        tokens = sum(owed(request) for request in started)
        free = memory.block_pool.get_num_free_blocks() - memory.watermark_blocks
        free -= self._blocks_to_come(critical + started)
        for place, request in enumerate(self.waiting, start=len(self.running)):
            if tokens >= self.max_num_scheduled_tokens or place >= self.max_num_running_reqs:
                break
            cached = request.num_computed_tokens or memory.get_computed_blocks(request)[1]
            free -= -(-(request.num_tokens - cached) // block)
            if free < 0:
                break
            tokens += request.num_tokens - cached
        return min(tokens, self.max_num_scheduled_tokens)


class RankedPolicy:
    """Waiting prompts in the order of a ranker's scores, lowest first, over a V1 scheduler.

    ``additional_config["schedlab"]["ranker"]`` names a callable, ``"module:function"``, that
    maps a prompt to its score, for instance the predicted output length. A prompt is a list of
    token ids, since the engine has no text; a ranker of text decodes them first, or a
    subclass overrides ``score(request)``.

    Notes
    -----
    A prompt is scored once. Equal scores keep vLLM's order; a score that is not a number goes
    last. Everything else is vLLM's own: running requests are served before waiting ones and
    are not preempted for a lower score. Long requests can starve while shorter ones arrive.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = _options(self, {"ranker"}).get("ranker")
        self._ranker = None if named is None else _resolved(named)
        self._scores: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        if self._ranker is None and type(self).score is RankedPolicy.score:
            raise ValueError(
                "additional_config: no ranker; give {'schedlab': {'ranker': 'module:function'}}"
            )

    def score(self, request: Any) -> float:
        """Return the score of a request's prompt."""
        return self._ranker(request.prompt_token_ids)

    def schedule(self, *args: Any, **kwargs: Any) -> Any:
        """Put the lowest score first, and have vLLM schedule."""
        reorder(self.waiting, self._known_score)
        return super().schedule(*args, **kwargs)

    def _known_score(self, request: Any) -> float:
        if request not in self._scores:
            score = float(self.score(request))
            self._scores[request] = inf if isnan(score) else score
        return self._scores[request]


def reorder(queue: Any, key: Callable[[Any], Any]) -> None:
    """Sort vLLM's queue of waiting requests in place; equal keys keep their order."""
    now = list(queue)
    wanted = sorted(now, key=key)
    if wanted != now:
        queue.remove_requests(now)
        for request in wanted:
            queue.add_request(request)


def owed(request: Any) -> int:
    """Return the tokens that a running request would take now, were the budget no limit."""
    known = request.num_tokens_with_spec + request.num_output_placeholders
    return known - request.num_computed_tokens


def defer(
    decodes: Iterable[tuple[float, int]], now: float, demand: int, budget: int, limit: int
) -> tuple[list[int], int]:
    """Return which decodes wait, and how many tokens the batch will then hold.

    Parameters
    ----------
    decodes
        Last schedulable time and tokens of each, in increasing order of the former.
    now
        Those due by now go before prompts, the others after them.
    demand
        Tokens that prompts ask for.
    budget
        Tokens in a batch.
    limit
        Most decodes in a batch.
    """
    waits, left, members = [], budget, 0
    for at, (lst, tokens) in enumerate(decodes):
        room = left if lst <= now else left - demand
        if members < limit and tokens <= room:
            members += 1
            left -= tokens
        else:
            waits.append(at)
    return waits, budget - left + min(demand, left)


def tbt_limit_s(request: Any) -> float | None:
    """Return a request's ``tbt_limit_s`` from its ``extra_args``, None without a usable one."""
    limit = (getattr(request.sampling_params, "extra_args", None) or {}).get("tbt_limit_s")
    if isinstance(limit, Real) and isfinite(limit) and limit > 0:
        return float(limit)
    if limit is not None:  # a client's mistake must not stop the engine
        logger.warning("request %s: tbt_limit_s %r ignored", request.request_id, limit)
    return None


def _options(scheduler: Any, allowed: set[str]) -> dict[str, Any]:
    """Return what the engine's configuration says, after a check of the queueing policy."""
    if scheduler.scheduler_config.policy != "fcfs":
        raise ValueError(
            f"scheduling policy {scheduler.scheduler_config.policy!r} keeps an order of its own; "
            "use 'fcfs' with a scheduler of schedlab.serving.vllm"
        )
    options = dict((scheduler.vllm_config.additional_config or {}).get("schedlab", {}))
    if unknown := sorted(set(options) - allowed):
        raise ValueError(
            f"additional_config['schedlab']: unknown {unknown}, allowed are {sorted(allowed)}; "
            "token budget and number of requests are vLLM's own settings"
        )
    return options


def _resolved(named: str) -> Callable[[list[int]], float]:
    try:
        ranker = pkgutil.resolve_name(named)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"ranker {named!r}: {error}; give 'module:function'") from error
    if not callable(ranker):
        raise ValueError(f"ranker {named!r} is a {type(ranker).__name__}, not a function")
    return ranker


CLASSES: dict[str, tuple[type, str]] = {
    "SLAIScheduler": (SLAIPolicy, SCHEDULER),
    "SLAIAsyncScheduler": (SLAIPolicy, "vllm.v1.core.sched.async_scheduler:AsyncScheduler"),
    "RankedScheduler": (RankedPolicy, SCHEDULER),
    "RankedAsyncScheduler": (RankedPolicy, "vllm.v1.core.sched.async_scheduler:AsyncScheduler"),
}
"""Scheduler classes by name: what decides, and the class of vLLM that it extends."""


def __getattr__(name: str) -> Any:
    if name not in CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _scheduler_class(name)


@cache
def _scheduler_class(name: str) -> type:
    try:
        importlib.import_module("vllm")
    except ModuleNotFoundError as error:
        raise ImportError(f"{name} needs vLLM: pip install 'schedlab[vllm]' ({error})") from error
    if problems := interface_problems():
        version = importlib.import_module("vllm").__version__
        raise ImportError(
            f"{name} does not fit vLLM {version}, {TRIED} were tried: " + "; ".join(problems)
        )
    policy, base = CLASSES[name]
    members = {"__module__": __name__, "__doc__": policy.__doc__}
    return type(name, (policy, pkgutil.resolve_name(base)), members)
