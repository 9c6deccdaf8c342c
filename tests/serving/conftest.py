"""Small fixtures for the serving tests: tables by hand and traces to compare with."""

import pandas as pd
import pytest

from schedlab.serving.request import BatchEnd, Request


@pytest.fixture(scope="session")
def table():
    """Return a function that builds a request table from (arrival, prompt, output[, limit])."""

    def build(*rows):
        columns = ["arrival_s", "prompt_tokens", "output_tokens", "tbt_limit_s"]
        frame = pd.DataFrame([(*row, None)[:4] for row in rows], columns=columns)
        frame.insert(0, "request_id", range(len(rows)))
        return frame

    return build


@pytest.fixture(scope="session")
def trace():
    """Return a function that lists a run's batches as dictionaries in batch order."""

    def batches(run):
        tokens = run.members["prefill_tokens"] + run.members["decode_tokens"]
        listed = [{} for _ in range(len(run.batches))]
        for batch, request_id, count in zip(
            run.members["batch"], run.members["request_id"], tokens, strict=True
        ):
            listed[batch][request_id] = count
        return [list(batch.items()) for batch in listed]

    return batches


@pytest.fixture(scope="session")
def decoding():
    """Return a function that builds a running request whose prompt is complete."""

    def build(request_id, memory, *, prompt=8, limit=None, ready=(0.0, 1.0, 0.0), arrival=0.0):
        request = Request(request_id, arrival, prompt, 99, tbt_limit_s=limit)
        memory.allocate(request)
        request.num_computed_tokens = prompt
        request.ready = BatchEnd(*ready)
        return request

    return build


@pytest.fixture(scope="session")
def prefilling():
    """Return a function that builds a running request whose prompt is not complete."""

    def build(request_id, memory, *, prompt=8, done=0, arrival=0.0):
        request = Request(request_id, arrival, prompt, 99)
        memory.allocate(request)
        request.num_computed_tokens = done
        return request

    return build
