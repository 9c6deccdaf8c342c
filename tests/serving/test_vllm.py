"""The schedulers for vLLM: over a stand-in for its interface, and over vLLM itself if installed."""

import json
import math
import pickle
import subprocess
import sys
from collections import deque
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from schedlab.serving import vllm as adapter
from schedlab.serving.costs import ADA_MISTRAL7B, Work
from schedlab.serving.engine import simulate
from schedlab.serving.schedulers import SLAI
from schedlab.serving.workload import RequestClass, build_requests

BUDGET, SEQS, BLOCKS = 256, 12, 4000
USERS = [RequestClass("paying", 0.3, 0.15), RequestClass("free", 0.7, 0.5)]
OPTIONS = [
    {"order": "spf", "offset": "dynamic", "memory_limit": 0.05},
    {"order": "fcfs", "offset": 3},
    {"order": "spf", "offset": 2, "user_priority": True, "limit_total_decodes": 6},
]


class Queue(deque):
    """The part of vLLM's RequestQueue that is used."""

    add_request = deque.append

    def remove_requests(self, requests):
        for request in list(requests):
            self.remove(request)


class Prompt:
    """The part of vLLM's Request that is used."""

    def __init__(self, request_id, tokens, max_tokens=5, *, limit=None, arrival=0.0):
        extra = {} if limit is None else {"tbt_limit_s": limit}
        self.request_id, self.arrival_time, self.max_tokens = request_id, arrival, max_tokens
        self.sampling_params = SimpleNamespace(extra_args=extra)
        self.prompt_token_ids = list(tokens)
        self.num_prompt_tokens = self.num_tokens = len(self.prompt_token_ids)
        self.num_computed_tokens = self.num_output_tokens = self.num_output_placeholders = 0
        self.next_decode_eligible_step, self.is_prefill_chunk = 0, False

    @property
    def num_tokens_with_spec(self):
        return self.num_tokens


class Engine:
    """A stand-in for vLLM's Scheduler: running requests first, then the queue, ample memory."""

    def __init__(self, options=None, *, budget=BUDGET, seqs=SEQS, policy="fcfs"):
        self.vllm_config = SimpleNamespace(additional_config={"schedlab": options or {}})
        self.scheduler_config = SimpleNamespace(policy=policy)
        self.requests, self.running, self.waiting = {}, [], Queue()
        self.max_num_scheduled_tokens, self.max_num_running_reqs = budget, seqs
        self.current_step, self.block_size, self.closed = 0, 16, False
        self.pool = SimpleNamespace(num_gpu_blocks=BLOCKS + 1, get_num_free_blocks=lambda: BLOCKS)
        self.kv_cache_manager = SimpleNamespace(
            block_pool=self.pool, watermark_blocks=0, get_computed_blocks=lambda request: (None, 0)
        )

    def has_requests(self):
        return bool(self.requests)

    def add_request(self, request):
        self.requests[request.request_id] = request
        self.waiting.append(request)

    def schedule(self, throttle_prefills=False):
        self.current_step += 1
        left, tokens = self.max_num_scheduled_tokens, {}
        ready = [r for r in self.running if r.next_decode_eligible_step <= self.current_step]
        room = 0 if self.closed else self.max_num_running_reqs - len(self.running)
        for request in [*ready, *list(self.waiting)[:room]]:
            if left:
                taken = min(left, request.num_tokens - request.num_computed_tokens)
                tokens[request.request_id], left = taken, left - taken
        self._take(tokens)
        total = sum(tokens.values())
        return SimpleNamespace(num_scheduled_tokens=tokens, total_num_scheduled_tokens=total)

    def _take(self, tokens):
        for request_id, count in tokens.items():
            request = self.requests[request_id]
            if request in self.waiting:
                self.waiting.remove(request)
                self.running.append(request)
            request.num_computed_tokens += count
            request.is_prefill_chunk = request.num_computed_tokens < request.num_tokens
        held = sum(-(-r.num_computed_tokens // self.block_size) for r in self.running)
        self.kv_cache_manager.usage = held / BLOCKS

    def update_from_output(self, scheduler_output, model_runner_output):
        tokens = dict(zip(*model_runner_output, strict=True))
        for request_id, new in tokens.items():
            request = self.requests[request_id]
            request.num_tokens += len(new)
            request.num_output_tokens += len(new)
            if request.num_output_tokens == request.max_tokens:
                self.running.remove(self.requests.pop(request_id))
        self._take({})


class SLAIEngine(adapter.SLAIPolicy, Engine):
    """SLAI over the stand-in."""


class RankedEngine(adapter.RankedPolicy, Engine):
    """A ranker over the stand-in."""


def stand_in(row):
    tokens, limit = [1] * row.prompt_tokens, row.tbt_limit_s
    return Prompt(
        f"{row.request_id:04d}", tokens, row.output_tokens, limit=limit, arrival=row.arrival_s
    )


@pytest.fixture(scope="module")
def workload():
    """Return a short rush: prompts that need several batches, users with two limits."""
    rng = np.random.default_rng(5)
    lengths = {"prompt_tokens": rng.integers(4, 900, 60), "output_tokens": rng.integers(1, 60, 60)}
    return build_requests(pd.DataFrame(lengths), 60, 20.0, 3, classes=USERS)


def expected(table, options, **machine):
    """Return schedlab's own batches, as {request: tokens}, and TTFTs."""
    scheduler = SLAI(token_budget=BUDGET, max_num_seqs=SEQS, **options)
    settings = {"total_blocks": BLOCKS, "watermark": 0.0, **machine}
    run = simulate(
        table,
        scheduler,
        ADA_MISTRAL7B,
        first_token_at_prefill=True,
        keep_members=True,
        **settings,
    )
    batches = [{} for _ in range(len(run.batches))]
    for batch, request_id, prefill, decode in run.members.itertuples(index=False):
        batches[batch][request_id] = prefill + decode
    return batches, run.requests.set_index("request_id")["ttft_s"]


def drive(scheduler, table, request_of, output_of, ahead=0):
    """Serve a table in virtual time, with so many batches scheduled ahead of their tokens.

    Returns the batches as {request: tokens} and the times of each request's tokens.
    """
    now, device, flight = [0.0], 0.0, deque()
    scheduler.clock = lambda: now[0]
    arrivals = deque(table.sort_values("arrival_s").itertuples())
    batches, times = [], {}
    while arrivals or flight or scheduler.has_requests():
        while arrivals and arrivals[0].arrival_s <= now[0]:
            scheduler.add_request(request_of(arrivals.popleft()))
        full = len(flight) > ahead
        if not full:
            output = scheduler.schedule()
            tokens = output.num_scheduled_tokens
            if tokens:
                work, new = compute(scheduler, tokens)
                device = max(now[0], device) + ADA_MISTRAL7B(work)
                flight.append((device, output, new))
                batches.append({int(each): count for each, count in tokens.items()})
            elif not flight:
                scheduler.update_from_output(output, output_of({}))
                now[0] = max(now[0], arrivals[0].arrival_s) if arrivals else now[0]
            full = not tokens
        if flight and (full or len(flight) > ahead):
            now[0], output, new = flight.popleft()
            scheduler.update_from_output(output, output_of(new))
            for each in new:
                times.setdefault(int(each), []).extend([now[0]] * len(new[each]))
    return batches, times


def compute(scheduler, tokens):
    """Return a scheduled batch's work, and the tokens that it will emit."""
    prefills, contexts, new = [], [], {}
    for request_id, count in tokens.items():
        request = scheduler.requests[request_id]
        before = request.num_computed_tokens - count
        produced = request.num_output_tokens + request.num_output_placeholders
        if before < request.num_prompt_tokens or count > 1 or not produced:
            prefills.append((count, before))
        else:
            contexts.append(before + 1)
        new[request_id] = [] if request.is_prefill_chunk else [7]
    return Work(tuple(prefills), len(contexts), sum(contexts)), new


def plain(new):
    return list(new), list(new.values())


def test_the_package_is_imported_without_vllm():
    code = "import sys, schedlab.serving.vllm; sys.exit('vllm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_asking_for_a_class_without_vllm_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    adapter._scheduler_class.cache_clear()
    with pytest.raises(ImportError, match=r"SLAIScheduler needs vLLM: pip install 'schedlab\[vllm"):
        _ = adapter.SLAIScheduler
    with pytest.raises(AttributeError, match="no attribute 'SLAIschedule'"):
        _ = adapter.SLAIschedule


def test_a_changed_interface_is_named(monkeypatch):
    here = f"{__name__}:Engine"
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Engine.__module__])
    monkeypatch.setattr(
        adapter,
        "PARAMETERS",
        {
            f"{here}.add_request": ("self", "request"),
            f"{here}.update_from_output": ("self", "output"),
            f"{here}.admit": ("self",),
        },
    )
    monkeypatch.setattr(adapter, "ATTRIBUTES", {f"{here}.schedule": ("running", "stopped")})
    assert adapter.interface_problems() == [
        f"{here}.update_from_output takes ('self', 'scheduler_output', 'model_runner_output'), "
        "its parameters should begin with ('self', 'output')",
        f"{here}.admit is missing",
        f"{here}.schedule no longer uses 'stopped'",
    ]


@pytest.mark.parametrize(
    ("decodes", "demand", "limit", "waits", "tokens"),
    [
        ([(0, 1), (1, 1), (3, 1), (4, 1)], 0, 9, [], 4),  # no prompt: all run
        ([(0, 1), (1, 1), (3, 1), (4, 1)], 10, 9, [2, 3], 10),  # prompts take the rest
        ([(0, 1), (1, 1), (3, 1), (4, 1)], 7, 9, [3], 10),  # one token is left over
        ([(0, 1), (1, 1), (3, 1), (4, 1)], 0, 3, [3], 3),
        ([(0, 1)] * 12, 5, 20, [10, 11], 10),  # critical beyond the budget
        ([(0, 4), (1, 4), (3, 4)], 1, 9, [2], 9),  # with draft tokens
        ([], 30, 9, [], 10),
    ],
)
def test_decodes_with_slack_leave_prompts_the_budget(decodes, demand, limit, waits, tokens):
    assert adapter.defer(decodes, 1.0, demand, 10, limit) == (waits, tokens)


@pytest.mark.parametrize("options", OPTIONS)
def test_batches_over_the_interface_equal_those_of_the_engine(workload, options):
    batches, ttft = expected(workload, options)
    got, times = drive(SLAIEngine(options), workload, stand_in, plain)
    assert got == batches
    first = pd.Series({each: tokens[0] for each, tokens in times.items()}).sort_index()
    arrival = workload.set_index("request_id")["arrival_s"]
    assert (first - arrival).tolist() == ttft.sort_index().tolist()


def test_slai_is_not_what_the_stand_in_does_by_itself(workload):
    options = {"order": "fcfs", "offset": 3}
    assert drive(Engine(), workload, stand_in, plain)[0] != expected(workload, options)[0]


def test_no_decode_waits_twice_for_prompts_that_do_not_come():
    engine = SLAIEngine({"offset": 0, "time_between_tokens_s": 60}, budget=8)
    engine.clock = lambda: 1.0
    engine.add_request(Prompt("decoding", [1] * 4))
    engine.update_from_output(engine.schedule(), (["decoding"], [[7]]))
    engine.add_request(Prompt("stuck", [1] * 20))
    engine.closed = True
    assert engine.schedule().num_scheduled_tokens == {}
    assert engine.schedule().num_scheduled_tokens == {"decoding": 1}


def test_the_prefix_cache_counts_as_done():
    engine = SLAIEngine({"offset": 0, "time_between_tokens_s": 60}, budget=8)
    engine.clock = lambda: 1.0
    engine.add_request(Prompt("decoding", [1] * 4))
    engine.update_from_output(engine.schedule(), (["decoding"], [[7]]))
    engine.kv_cache_manager.get_computed_blocks = lambda request: (None, 16)
    engine.add_request(Prompt("known", [1] * 20))
    assert engine._prompt_tokens([], []) == 4
    assert "decoding" in engine.schedule().num_scheduled_tokens


def test_a_prompt_is_foreseen_only_if_its_blocks_are_free():
    engine = SLAIEngine({"offset": 0}, budget=100)
    decode = Prompt("decode", [1] * 17)  # its next token takes a second block
    decode.num_computed_tokens = 16
    started = Prompt("started", [1] * 40)
    started.num_computed_tokens = 8  # one block of three
    engine.add_request(Prompt("new", [1] * 32))
    for free, tokens in [(4, 32), (5, 64)]:
        engine.pool.get_num_free_blocks = lambda free=free: free
        assert engine._prompt_tokens([decode], [started]) == tokens
    engine.kv_cache_manager.watermark_blocks = 1
    assert engine._prompt_tokens([decode], [started]) == 32
    engine.max_num_running_reqs = 0
    assert engine._prompt_tokens([], []) == 0


def test_the_memory_in_use_counts_whole_prompts():
    engine = SLAIEngine(budget=40)
    engine.clock = lambda: 0.0
    engine.add_request(Prompt("long", [1] * 100))
    engine.schedule()
    assert engine.kv_cache_manager.usage == 3 / BLOCKS
    assert engine._batch_end(0.0).kv_use == 7 / BLOCKS


def test_a_batch_lasts_from_the_end_of_the_one_before():
    engine = SLAIEngine()
    engine.add_request(Prompt("a", [1] * 600))
    times = iter([0.0, 1.0, 10.0, 12.0])
    engine.clock = lambda: next(times)
    ahead = [engine.schedule(), engine.schedule()]
    for output in ahead:
        engine.update_from_output(output, ([], []))
    assert engine._mean_batch_time_s == (10 + 2) / 2


def test_running_requests_stand_by_last_schedulable_time_with_prompts_behind():
    engine = SLAIEngine({"offset": 0}, budget=10)
    engine.clock = lambda: 1.0
    for name, limit in {"relaxed": 9.0, "strict": 3.0}.items():
        engine.add_request(Prompt(name, [1] * 4, limit=limit))
    engine.update_from_output(engine.schedule(), (["relaxed", "strict"], [[7], [7]]))
    engine.add_request(Prompt("new", [1] * 30))
    assert engine.schedule().num_scheduled_tokens == {"new": 10}
    engine.schedule()
    assert [request.request_id for request in engine.running] == ["strict", "relaxed", "new"]


def test_a_decode_whose_batch_is_under_way_is_due_from_now_on():
    engine = SLAIEngine({"offset": 0, "time_between_tokens_s": 2})
    engine.clock = lambda: 10.0
    engine.add_request(Prompt("ahead", [1] * 4))
    engine.schedule()
    engine.schedule()
    assert engine._last_schedulable[engine.requests["ahead"]] == 12.0


@pytest.mark.parametrize("limit", ["soon", -1, 0, math.inf, math.nan, [0.1]])
def test_an_unusable_limit_is_ignored_with_a_warning(limit, caplog):
    assert adapter.tbt_limit_s(Prompt("odd", [1], limit=limit)) is None
    assert "request odd: tbt_limit_s" in caplog.text


def test_limits_are_read_from_the_sampling_parameters():
    assert adapter.tbt_limit_s(Prompt("paying", [1], limit=0.1)) == 0.1
    assert adapter.tbt_limit_s(Prompt("none", [1])) is None
    assert adapter.tbt_limit_s(SimpleNamespace(sampling_params=None)) is None


def test_a_ranker_puts_the_lowest_score_first():
    engine = RankedEngine({"ranker": "builtins:sum"}, budget=4, seqs=1)
    for name, tokens in {"nan": [math.nan], "long": [9], "b": [2, 3], "a": [1, 4]}.items():
        engine.add_request(Prompt(name, tokens, max_tokens=1))
    served = []
    while engine.has_requests():
        output = engine.schedule()
        served += output.num_scheduled_tokens
        engine.update_from_output(output, plain({each: [7] for each in served[-1:]}))
    assert served == ["b", "a", "long", "nan"]


def test_a_prompt_is_scored_once_and_running_requests_stay():
    calls = []

    class Mine(RankedEngine):
        def score(self, request):
            calls.append(request.request_id)
            return len(request.prompt_token_ids)

    engine = Mine(budget=6)
    engine.add_request(Prompt("long", [1] * 20))
    assert engine.schedule().num_scheduled_tokens == {"long": 6}
    engine.add_request(Prompt("short", [1] * 2))
    assert engine.schedule().num_scheduled_tokens == {"long": 6}
    assert engine.schedule().num_scheduled_tokens == {"long": 6}
    assert engine.schedule().num_scheduled_tokens == {"long": 2, "short": 2}
    assert calls == ["long", "short"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SLAIEngine({"token_budget": 9}), r"unknown \['token_budget'\], allowed are \['ab"),
        (
            lambda: SLAIEngine({"order": "lifo"}),
            "order must be one of 'fcfs', 'spf', 'ranked', got",
        ),
        (lambda: SLAIEngine({"order": "ranked"}), "order 'ranked' needs priorities, which vLLM"),
        (lambda: SLAIEngine({"decodes": "ranked"}), r"unknown \['decodes'\], allowed are"),
        (lambda: SLAIEngine(policy="priority"), "policy 'priority' keeps an order of its own"),
        (lambda: RankedEngine(), "no ranker; give"),
        (lambda: RankedEngine({"ranker": "nowhere:f"}), "ranker 'nowhere:f': No module"),
        (lambda: RankedEngine({"ranker": "math:pi"}), "'math:pi' is a float, not a function"),
    ],
)
def test_options_are_checked_where_the_engine_starts(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Return a function that builds a scheduler class over vLLM's own objects, without weights."""
    pytest.importorskip("vllm.v1.core.sched.scheduler", reason="needs schedlab[vllm]")
    import torch
    from vllm import config as vllm_config
    from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
    from vllm.v1.structured_output import StructuredOutputManager

    folder = tmp_path_factory.mktemp("model")
    shape = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1, "ffn_dim": 64}
    kind = {"architectures": ["OPTForCausalLM"], "model_type": "opt", "vocab_size": 128}
    text = json.dumps(shape | kind | {"max_position_embeddings": 4096, "word_embed_proj_dim": 64})
    (folder / "config.json").write_text(text)
    model = vllm_config.ModelConfig(
        model=str(folder), skip_tokenizer_init=True, dtype="float16", max_model_len=4096
    )

    def build(name, options, *, blocks=BLOCKS):
        cache = vllm_config.CacheConfig(block_size=16, enable_prefix_caching=False)
        whole = vllm_config.VllmConfig(
            model_config=model,
            cache_config=cache,
            scheduler_config=vllm_config.SchedulerConfig(
                max_num_seqs=SEQS,
                max_num_batched_tokens=BUDGET,
                max_model_len=4096,
                is_encoder_decoder=False,
                async_scheduling="Async" in name,
                scheduler_cls=f"schedlab.serving.vllm.{name}",
            ),
            device_config=vllm_config.DeviceConfig("cpu"),
            additional_config={"schedlab": options},
        )
        cache.num_gpu_blocks = blocks + 1  # one block of vLLM's holds nothing
        layer = FullAttentionSpec(block_size=16, num_kv_heads=1, head_size=1, dtype=torch.float32)
        return whole.scheduler_config.get_scheduler_cls()(
            vllm_config=whole,
            kv_cache_config=KVCacheConfig(
                num_blocks=blocks + 1,
                kv_cache_tensors=[],
                kv_cache_groups=[KVCacheGroupSpec(["layer"], layer)],
            ),
            structured_output_manager=StructuredOutputManager(whole),
            block_size=16,
        )

    return build


def real_request(row):
    from vllm.sampling_params import SamplingParams
    from vllm.v1.request import Request

    sampling = SamplingParams(
        max_tokens=row.output_tokens, ignore_eos=True, extra_args={"tbt_limit_s": row.tbt_limit_s}
    )
    return Request(
        request_id=f"{row.request_id:04d}",
        prompt_token_ids=[row.output_tokens] + [1] * (row.prompt_tokens - 1),
        sampling_params=sampling,
        pooling_params=None,
        arrival_time=row.arrival_s,
    )


def real_output(new):
    from vllm.v1.outputs import ModelRunnerOutput

    places = {request_id: place for place, request_id in enumerate(new)}
    return ModelRunnerOutput(list(new), places, sampled_token_ids=list(new.values()))


@pytest.mark.usefixtures("real")
def test_vllm_has_the_interface():
    assert adapter.interface_problems() == []
    for name in adapter.CLASSES:
        found = getattr(adapter, name)
        assert found.__name__ == name
        assert pickle.loads(pickle.dumps(found)) is found  # it travels to the engine's process


@pytest.mark.parametrize("name", ["SLAIScheduler", "SLAIAsyncScheduler"])
@pytest.mark.parametrize("options", OPTIONS)
def test_batches_of_vllm_equal_those_of_the_engine(real, workload, name, options):
    batches, ttft = expected(workload, options)
    got, times = drive(real(name, options), workload, real_request, real_output)
    assert got == batches
    first = pd.Series({each: tokens[0] for each, tokens in times.items()}).sort_index()
    arrival = workload.set_index("request_id")["arrival_s"]
    assert (first - arrival).tolist() == ttft.sort_index().tolist()


@pytest.mark.parametrize(
    ("name", "blocks", "ahead"),
    [("SLAIScheduler", 100, 0), ("SLAIAsyncScheduler", 100, 1), ("RankedAsyncScheduler", 4000, 1)],
)
def test_vllm_serves_every_token_once(real, workload, name, blocks, ahead):
    options = {"ranker": "builtins:sum"} if name.startswith("Ranked") else {}
    scheduler = real(name, options, blocks=blocks)
    _, times = drive(scheduler, workload, real_request, real_output, ahead)
    wanted = workload.set_index("request_id")["output_tokens"].to_dict()
    assert {each: len(tokens) for each, tokens in times.items()} == wanted
    assert scheduler.get_num_unfinished_requests() == 0
    assert scheduler.kv_cache_manager.usage == 0


def test_a_ranker_of_the_output_length_lowers_vllms_mean_latency(real, workload):
    def latency(ranker):
        scheduler = real("RankedScheduler", {"ranker": ranker})
        together = workload.assign(arrival_s=0.0)
        _, times = drive(scheduler, together, real_request, real_output)
        return np.mean([tokens[-1] for tokens in times.values()])

    assert latency("builtins:max") < 0.9 * latency("operator:not_")  # the latter scores all 0
