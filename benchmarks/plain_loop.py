"""What one writes in an hour: Sarathi-Serve as a plain Python loop over iterations.

Nothing but lists: no event queue, no scheduler object, no checks, no preemption (it stops where
one would be needed). The benchmark asserts that it runs the very batches of the engines and finds
the same latencies.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from schedlab.serving.costs import MeasuredTable


@dataclass(slots=True)
class Job:
    """One request."""

    arrival_s: float
    prompt: int
    output: int
    prefilled: int = 0
    produced: int = 0
    blocks: int = 0
    token_times_s: list[float] = field(default_factory=list)


def serve(
    requests: pd.DataFrame,
    cost: MeasuredTable,
    *,
    token_budget: int = 512,
    max_num_seqs: int = 128,
    total_blocks: int = 14_733,
    block_size: int = 16,
) -> tuple[list[Job], list[tuple[float, float]]]:
    """Return the served requests and the start and duration of every batch."""
    columns = requests[["arrival_s", "prompt_tokens", "output_tokens"]]
    jobs = [Job(*row) for row in columns.itertuples(index=False)]
    waiting: list[Job] = []
    running: list[Job] = []
    batches = []
    free, now, arrived, finished = total_blocks, 0.0, 0, 0
    watermark = total_blocks // 100
    while finished < len(jobs):
        while arrived < len(jobs) and jobs[arrived].arrival_s <= now:
            waiting.append(jobs[arrived])
            arrived += 1
        decodes = [job for job in running if job.prefilled == job.prompt]
        prefills = []
        left = token_budget - len(decodes)
        for job in decodes:
            if job.prompt + job.produced > job.blocks * block_size:
                job.blocks += 1
                free -= 1
        assert free >= 0, "this loop cannot preempt; give it more blocks"
        for job in running:
            if job.prefilled < job.prompt and left > 0:
                chunk = min(left, job.prompt - job.prefilled)
                prefills.append((job, chunk))
                left -= chunk
        while waiting and left > 0 and len(running) < max_num_seqs:
            job = waiting[0]
            needed = -(-job.prompt // block_size)
            if free - needed < watermark:
                break
            waiting.pop(0)
            running.append(job)
            job.blocks, free = needed, free - needed
            chunk = min(left, job.prompt)
            prefills.append((job, chunk))
            left -= chunk
        if not decodes and not prefills:
            now = jobs[arrived].arrival_s
            continue
        tokens = sum(chunk for _, chunk in prefills) + len(decodes)
        context = sum(job.prompt + job.produced for job in decodes)
        duration = cost.linear(tokens) + cost.kv_read_s * context
        batches.append((now, duration))
        now += duration
        done = _hand_out(prefills, decodes, now)
        for job in done:
            running.remove(job)
        free += sum([job.blocks for job in done])
        finished += len(done)
    return jobs, batches


def _hand_out(prefills: list[tuple[Job, int]], decodes: list[Job], now: float) -> list[Job]:
    """Note the tokens of a batch; return who has finished."""
    for job, chunk in prefills:
        job.prefilled += chunk
        if job.prefilled == job.prompt:
            job.token_times_s.append(now)
    for job in decodes:
        job.produced += 1
        job.token_times_s.append(now)
    return [job for job in decodes if job.produced == job.output]


def latencies(jobs: list[Job]) -> pd.DataFrame:
    """Return what the engines report of each request: TTFT, and mean and percentiles of TBT."""
    rows = []
    for job in jobs:
        tbt = np.diff(job.token_times_s)
        points = np.percentile(tbt, [50, 99, 100])
        rows.append((job.token_times_s[0] - job.arrival_s, tbt.mean(), *points))
    columns = ["ttft_s", "tbt_mean_s", "tbt_p50_s", "tbt_p99_s", "tbt_max_s"]
    return pd.DataFrame(rows, columns=columns)
