"""Cost models from kernels that others measured, read through the data catalogue."""

from collections.abc import Sequence

import pandas as pd

from schedlab.data import catalog
from schedlab.serving.costs import AttentionTable, ProfiledStaircase

LAYERS = 32  # of Llama-3-8B and Llama-2-7B alike

# All operators of Vidur's profile but the embedding, which runs once a batch, not once a layer,
# and takes less than 0.1 % of the time.
OPERATORS = (
    "input_layernorm",
    "attn_pre_proj",
    "attn_rope",
    "attn_post_proj",
    "post_attention_layernorm",
    "mlp_up_proj",
    "mlp_act",
    "mlp_down_proj",
    "add",
)
ATTENTION = "aic-attention-32q8kv128d"


def read(name: str) -> ProfiledStaircase:
    """Return the cost model of a GPU and a model, with attention where it was measured.

    Parameters
    ----------
    name
        ``a100-llama3-8b`` (with attention), ``a100-llama2-7b``, ``h100-llama2-7b`` or
        ``a40-llama2-7b``: linear layers and norms as Vidur profiled them, without tensor
        parallelism.
    """
    profile = pd.read_csv(catalog.fetch(f"vidur-{name}-mlp"))
    tokens, seconds = layer_seconds(profile)
    attention = read_attention("a100_sxm") if name == "a100-llama3-8b" else None
    return ProfiledStaircase(tokens, tuple(LAYERS * s for s in seconds), attention)


def layer_seconds(profile: pd.DataFrame) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the profiled sizes, and the seconds of one layer: the sum of operators' medians."""
    alone = profile[profile["num_tensor_parallel_workers"] == 1]
    columns = [f"time_stats.{operator}.median" for operator in OPERATORS]
    times = alone.groupby("num_tokens")[columns].median().sum(axis=1)
    return tuple(times.index.tolist()), tuple((times / 1e3).tolist())


def read_attention(device: str) -> AttentionTable:
    """Return all layers' attention of a device (``a100_sxm`` or ``l40s``)."""
    table = pd.read_csv(catalog.fetch(ATTENTION))
    times = table[table["device"] == device]
    prompts = times[(times["phase"] == "prefill") & (times["batch_size"] == 1)]
    prompts = prompts.sort_values("kv_len")
    decodes = times[times["phase"] == "decode"]
    grid = decodes.pivot_table(index="kv_len", columns="batch_size", values="latency_ms")
    return AttentionTable(
        prefill_tokens=tuple(prompts["kv_len"].tolist()),
        prefill_s=tuple((prompts["latency_ms"] * LAYERS / 1e3).tolist()),
        decode_requests=tuple(grid.columns.tolist()),
        decode_contexts=tuple(grid.index.tolist()),
        decode_s=tuple(
            tuple(time * LAYERS / 1e3 for time in _complete(grid.columns, row))
            for row in grid.to_numpy().tolist()
        ),
    )


def _complete(batches: Sequence[int], times: Sequence[float]) -> list[float]:
    """Fill what did not fit the device's memory: time in proportion to the last batch that did."""
    complete: list[float] = []
    for at, time in enumerate(times):
        if pd.isna(time):
            time = complete[-1] * batches[at] / batches[at - 1]
        complete.append(time)
    return complete
