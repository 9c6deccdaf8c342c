"""Several replicas behind a router, and what each router looks at."""

import numpy as np
import pandas as pd
import pytest

from schedlab.serving.costs import ADA_MISTRAL7B
from schedlab.serving.engine import simulate, simulate_fleet
from schedlab.serving.invariants import ScheduleError
from schedlab.serving.memory import BlockMemory
from schedlab.serving.metrics import summarize
from schedlab.serving.request import Request
from schedlab.serving.routers import ROUTERS, LeastOutstanding, Random, RoundRobin, ShortestBacklog
from schedlab.serving.schedulers import SLAI, Sarathi
from schedlab.serving.state import State
from schedlab.serving.workload import poisson_arrivals


def one_second(work):
    return 1.0


@pytest.fixture(scope="module")
def requests(table):
    rng = np.random.default_rng(5)
    arrivals = poisson_arrivals(120, 60.0, seed=2)
    rows = zip(arrivals, rng.integers(1, 900, 120), rng.integers(1, 60, 120), strict=True)
    return table(*rows)


def serve(requests, router, replicas, scheduler=Sarathi, **options):
    return simulate_fleet(
        requests, scheduler, ADA_MISTRAL7B, replicas=replicas, router=router, **options
    )


@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize("scheduler", [Sarathi, SLAI])
def test_one_replica_is_the_plain_engine(requests, router, scheduler):
    options = {"total_blocks": 130, "watermark": 0.0, "keep_members": True, "check": True}
    fleet = serve(requests, ROUTERS[router](), 1, scheduler, **options)
    alone = simulate(requests, scheduler(), ADA_MISTRAL7B, **options)
    assert alone.batches["preemptions"].sum() > 0
    for name in ("requests", "batches", "members"):
        got = getattr(fleet, name).drop(columns="replica", errors="ignore")
        pd.testing.assert_frame_equal(got, getattr(alone, name), check_exact=True)
    assert (fleet.tbt_samples_s == alone.tbt_samples_s).all()
    assert (fleet.tbt_owner == alone.tbt_owner).all()


@pytest.mark.parametrize("router", ROUTERS)
def test_each_replica_serves_its_share_as_if_alone(requests, router):
    fleet = serve(requests, ROUTERS[router](), 3, check=True, keep_members=True)
    assert fleet.requests["request_id"].tolist() == requests["request_id"].tolist()
    assert fleet.requests["output_tokens"].tolist() == requests["output_tokens"].tolist()
    for replica in range(3):
        routed = (fleet.requests["replica"] == replica).to_numpy()
        alone = simulate(requests[routed], Sarathi(), ADA_MISTRAL7B, keep_members=True)
        got = fleet.requests[routed].drop(columns="replica").reset_index(drop=True)
        pd.testing.assert_frame_equal(got, alone.requests, check_exact=True)
        samples = fleet.tbt_samples_s[routed[fleet.tbt_owner]]
        assert samples == pytest.approx(alone.tbt_samples_s, abs=0)
        batches = fleet.batches.index[fleet.batches["replica"] == replica]
        members = fleet.members[fleet.members["batch"].isin(batches)]
        assert members["request_id"].tolist() == alone.members["request_id"].tolist()
    assert summarize(fleet)["requests"].tolist()[0] == len(requests)


def test_routers_keep_the_balance(requests):
    shares = {
        name: np.bincount(serve(requests, router(), 4).requests["replica"], minlength=4)
        for name, router in ROUTERS.items()
    }
    assert shares["round_robin"].tolist() == [30] * 4
    assert all((share > 15).all() and (share < 45).all() for share in shares.values())
    again = serve(requests, Random(), 4).requests["replica"]
    assert np.bincount(again).tolist() == shares["random"].tolist()
    other = serve(requests, Random(seed=1), 4).requests["replica"]
    assert (again != other).any()


def test_looking_at_the_queues_beats_not_looking(requests):
    def mean_ttft(router):
        return serve(requests, router, 4).requests["ttft_s"].mean()

    blind = np.mean([mean_ttft(Random(seed)) for seed in range(4)])
    assert mean_ttft(LeastOutstanding()) < 0.95 * blind
    assert mean_ttft(ShortestBacklog()) < 0.95 * blind
    assert mean_ttft(ShortestBacklog(outputs=True)) < 0.95 * blind


def test_random_router_is_uniform():
    states = [State(BlockMemory()) for _ in range(4)]
    router, counts = Random(seed=3), np.zeros(4)
    for arrived in range(4000):
        states[0].num_arrived = arrived
        counts[router.choose(states, None)] += 1
    assert ((counts - 1000) ** 2 / 1000).sum() < 16.3  # chi square, 3 degrees, 0.1 %


def test_state_routers_choose_by_hand():
    def state(*requests):
        waiting = [Request(i, 0, prompt, output) for i, (prompt, output) in enumerate(requests)]
        total = sum(prompt + output for prompt, output in requests)
        return State(BlockMemory(), waiting, num_arrived=len(requests) + 1, backlog_tokens=total)

    states = [state((9, 90)), state((3, 300), (3, 30)), state((10, 1))]
    assert LeastOutstanding().choose(states, None) == 0  # a tie: the lowest index
    assert ShortestBacklog().choose(states, None) == 1
    assert ShortestBacklog(outputs=True).choose(states, None) == 2
    assert RoundRobin().choose(states, None) == 7 % 3


def test_a_batch_that_ends_at_an_arrival_has_ended_for_the_router(table):
    # Both replicas free at 3; the last request must see replica 0 empty again.
    rows = table((0, 4, 2), (0, 4, 9), (3.0, 4, 1))
    run = simulate_fleet(rows, Sarathi, one_second, replicas=2, router=LeastOutstanding())
    assert run.requests["replica"].tolist() == [0, 1, 0]
    assert run.requests["ttft_s"].tolist() == [1, 1, 1]


def test_wrong_routers_and_fleets_are_refused(requests):
    class Lost:
        def choose(self, states, request):
            return len(states)

    with pytest.raises(ValueError, match="router: request 0: chose replica 2, there are 0 to 1"):
        serve(requests, Lost(), 2)
    with pytest.raises(ValueError, match="replicas must be an integer >= 1, got 0"):
        serve(requests, Lost(), 0)
    with pytest.raises(TypeError, match="blocks"):
        serve(requests, Random(), 2, blocks=3)

    class Idle:
        def schedule(self, state, now):
            return {}

    with pytest.raises(ScheduleError, match="Idle, batch 0: the batch is empty"):
        serve(requests, Random(), 2, Idle)
