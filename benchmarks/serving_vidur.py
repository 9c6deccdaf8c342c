"""The compiled engine against Vidur (microsoft/vidur, MLSys 2024), on one trace and scheduler.

Both serve 1,000 requests of the SLAI paper's trace at 2 requests/s under Sarathi-Serve: chunks of
512 tokens, 128 requests, one A100 with Llama-3-8B, and a first token with the last chunk. Vidur
replays the very arrivals. Its loop alone is timed, ``Simulator.run()``, without reading profiles
and fitting its forests (before) or writing plots (after); once as it comes, collecting metrics of
requests and batches, and once with all metrics off. Ours is all of ``simulate``, tables of
requests and batches included.

Not the same: Vidur predicts each batch with forests over ten operators and averages the decodes'
contexts, where we look the same profiles up; its decodes take memory without SimPy's clock or a
watermark of ours in the way. Medians of TTFT are printed beside the speed to show how far apart
the two are.

Vidur is neither installed nor copied. Name a checkout and a Python that has its requirements::

    VIDUR=~/vidur VIDUR_PYTHON=~/vidur/.venv/bin/python python -m benchmarks serving_vidur

Where the catalogue can be read (see ``schedlab.data``) its A100 profiles serve both sides, since
the attention profile of the repository lies in Git LFS; otherwise the checkout's own files do.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.serving_trace import trace
from benchmarks.table import Row, in_turns
from schedlab.data import catalog
from schedlab.serving import compiled
from schedlab.serving.costs import A100_STAIRCASE, COST_MODELS, AttentionTable, CostModel
from schedlab.serving.schedulers import Sarathi

REQUESTS = 1000
QUIET = ("--no-metrics_config_write_metrics", "--no-metrics_config_enable_chrome_trace")
SUBJECT = "compiled engine against Vidur (Sarathi-Serve, 512)"
TARGET = "100 times"
PREDICTOR = "random_forrest_execution_time_predictor_config"

RUNNER = """
import atexit, json, time
from vidur.config import SimulationConfig
from vidur.simulator import Simulator
from vidur.utils.random import set_seeds
config = SimulationConfig.create_from_cli_args()
set_seeds(config.seed)
simulator = Simulator(config)
atexit.unregister(simulator._write_output)
requests = [event._request for _, event in simulator._event_queue]
start = time.perf_counter()
simulator.run()
seconds = time.perf_counter() - start
ttft = [each.prefill_completed_at - each.arrived_at for each in requests]
print("OUTCOME" + json.dumps({"seconds": seconds, "ttft_s": ttft}))
"""


def measure() -> list[Row]:
    """Return the ratio, or a row that says what is missing."""
    checkout = os.environ.get("VIDUR")
    if not checkout:
        how = "set VIDUR to a checkout of microsoft/vidur and VIDUR_PYTHON to its interpreter"
        return [Row(SUBJECT, "not measured", "", None, TARGET, how)]
    table, name = trace(REQUESTS)
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            "collecting metrics": _run_vidur(Path(checkout), Path(folder), table),
            "without metrics": _run_vidur(Path(checkout), Path(folder), table, *QUIET),
        }
    cost = _cost_model()
    options = {"first_token_at_prefill": True, "total_blocks": 27_000}
    (ours,) = in_turns([lambda: compiled.simulate(table, Sarathi(), cost, **options)], rounds=5)
    run = compiled.simulate(table, Sarathi(), cost, **options)
    ttft_s = run.requests["ttft_s"].median()
    return [
        Row(
            f"{SUBJECT} {how}",
            f"{REQUESTS / ours:,.0f} requests/s",
            f"{REQUESTS / theirs['seconds']:,.0f} requests/s",
            theirs["seconds"] / ours,
            TARGET,
            f"{REQUESTS} requests of {name} at 2/s; Vidur's loop alone, all of simulate(); median "
            f"TTFT {ttft_s:.3f} s, in Vidur {pd.Series(theirs['ttft_s']).median():.3f} s",
        )
        for how, theirs in runs.items()
    ]


def _run_vidur(checkout: Path, folder: Path, table: pd.DataFrame, *flags: str) -> dict:
    names = {
        "arrival_s": "arrived_at",
        "prompt_tokens": "num_prefill_tokens",
        "output_tokens": "num_decode_tokens",
    }
    table[list(names)].rename(columns=names).to_csv(folder / "trace.csv", index=False)
    options = _options(folder) | _profiles(folder)
    command = [os.environ.get("VIDUR_PYTHON", sys.executable), "-c", RUNNER, *flags]
    for option, value in options.items():
        command += [f"--{option}", str(value)]
    done = subprocess.run(
        command,
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout), "WANDB_MODE": "disabled"},
        capture_output=True,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("OUTCOME")]
    if not lines:
        raise SystemExit(f"Vidur failed in {checkout}:\n{done.stderr[-2000:]}")
    return json.loads(lines[0].removeprefix("OUTCOME"))


def _options(folder: Path) -> dict[str, object]:
    return {
        "replica_config_device": "a100",
        "replica_config_model_name": "meta-llama/Meta-Llama-3-8B",
        "cluster_config_num_replicas": 1,
        "request_generator_config_type": "trace_replay",
        "trace_request_generator_config_trace_file": folder / "trace.csv",
        "trace_request_generator_config_max_tokens": 8192,
        "replica_scheduler_config_type": "sarathi",
        "sarathi_scheduler_config_chunk_size": 512,
        "sarathi_scheduler_config_batch_size_cap": 128,
        "metrics_config_output_dir": folder / "output",
        "metrics_config_cache_dir": folder / "cache",
        f"{PREDICTOR}_prediction_max_prefill_chunk_size": 512,
        f"{PREDICTOR}_prediction_max_tokens_per_request": 8192,
        f"{PREDICTOR}_prediction_max_batch_size": 128,
        f"{PREDICTOR}_k_fold_cv_splits": 2,
        f"{PREDICTOR}_num_estimators": 100,
        f"{PREDICTOR}_max_depth": 16,
        f"{PREDICTOR}_min_samples_split": 2,
        f"{PREDICTOR}_num_training_job_threads": 1,
    }


def _cost_model() -> CostModel:
    try:
        return COST_MODELS["a100-llama3-8b"]
    except FileNotFoundError:
        return A100_STAIRCASE


def _profiles(folder: Path) -> dict[str, object]:
    """Write the catalogue's profiles in Vidur's form; nothing if the catalogue cannot be read."""
    try:
        layers = catalog.fetch("vidur-a100-llama3-8b-mlp")
        attention = COST_MODELS["a100-llama3-8b"].attention
    except FileNotFoundError:
        return {}
    pd.read_csv(layers).to_csv(folder / "mlp.csv", index=False)
    _attention_profile(attention).to_csv(folder / "attention.csv", index=False)
    return {
        f"{PREDICTOR}_compute_input_file": folder / "mlp.csv",
        f"{PREDICTOR}_attention_input_file": folder / "attention.csv",
    }


def _attention_profile(attention: AttentionTable, layers: int = 32) -> pd.DataFrame:
    """Return the time of one layer's attention, ms, as Vidur's profiler would list it."""
    rows = [
        (1, cached, tokens, attention.prefill(tokens, cached), 0.0)
        for cached in (0, *range(64, 8192, 256))
        for tokens in (1, 16, 32, 64, 128, 192, 256, 320, 384, 448, 512)
        if cached + tokens <= 8192
    ]
    rows += [
        (requests, context, 0, 0.0, attention.decode(requests, context))
        for requests in attention.decode_requests
        for context in attention.decode_contexts
        if requests <= 128 and context <= 8192
    ]
    columns = ["batch_size", "kv_cache_size", "prefill_chunk_size"]
    times = ["time_stats.attn_prefill.median", "time_stats.attn_decode.median"]
    table = pd.DataFrame(rows, columns=[*columns, *times])
    table[times] *= 1e3 / layers
    shape = {"n_embd": 4096, "n_q_head": 32, "n_kv_head": 8, "block_size": 16}
    saved = {"time_stats.attn_kv_cache_save.median": 0.0}
    return table.assign(**shape, **saved, num_tensor_parallel_workers=1)
