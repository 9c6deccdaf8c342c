import numpy as np
import pandas as pd
import pytest

from schedlab.estimation.claims import channel, learning, nonlinear, recorded
from schedlab.estimation.experiment.channel import BLIND as CHANNEL_BLIND
from schedlab.estimation.experiment.channel import READ as CHANNEL_READ
from schedlab.estimation.experiment.nonlinear import BLIND, ZERO
from schedlab.estimation.experiment.recorded import MISSING, READ
from schedlab.lab import claims as ledger
from schedlab.lab.claims import CannotTell


def rows(**columns):
    return pd.DataFrame(columns)


def learned_tables(**changes):
    """Return costs of the blind, half and joint optimum and of a learned pair on S2 and S3."""
    costs = {
        learning.BLIND: 1.0,
        learning.HALF: 0.9,
        learning.LLOYD: 0.6,
        learning.JOINT: 0.5,
    } | changes
    table = pd.DataFrame(
        [
            {
                "system": system,
                "price": 1.0,
                "policy": policy,
                "seed": seed,
                "cost": cost,
                "rate": 0.3,
                "mse": 0.2,
                "excess": cost - 0.5,
                "excess_se": 0.01,
            }
            for system in ("S2", "S3")
            for policy, cost in costs.items()
            for seed in (0, 1, 2)
        ]
    )
    curves = rows(system=["S2", "S3"], price=[1.0, 1.0])
    return {"costs": table, "curves": curves}


def test_ratios_are_taken_within_a_seed_at_the_first_price():
    tables = learned_tables()
    cheap = tables["costs"].assign(price=0.1, cost=9.0)
    tables["costs"] = pd.concat([cheap, tables["costs"]])
    found = learning.ratio("S2", learning.LLOYD, learning.BLIND)(tables)
    assert found == pytest.approx([0.6] * 3)
    assert learning.share_of_estimator_alone(tables) == pytest.approx([0.25] * 3)


def test_a_pair_below_the_optimum_breaks_its_claim():
    assert learning.largest_lead(learned_tables()) == pytest.approx([-10.0] * 3)
    below = learned_tables(**{learning.LLOYD: 0.45})
    (claim,) = [c for c in learning.learning_claims() if "never-beats" in c.id]
    (finding,) = ledger.evaluate([claim], below, "laptop")
    assert finding["verdict"] == "not reproduced"


def test_a_policy_that_did_not_run_leaves_its_claim_undecided():
    with pytest.raises(CannotTell, match="S6"):
        learning.coin("cost")(learned_tables())


def test_errors_are_compared_at_equal_rates():
    tables = learned_tables()
    trigger = rows(system="S2", seed=[0, 0, 1, 1], width=[1, 2] * 2, rate=[0.2, 0.4] * 2)
    tables["trigger"] = trigger.assign(mse=[0.6, 0.2] * 2)
    assert learning.error_at_equal_rate(tables) == pytest.approx([0.5, 0.5])


def test_blocks_weigh_in_with_their_cost_not_with_their_ratio():
    table = rows(
        recording="openacc",
        price=0.2,
        policy=[MISSING, MISSING, READ, READ],
        seed=[0, 1, 0, 1],
        cost=[1.0, 3.0, 0.8, 2.0],
    )
    found = recorded.change("openacc", READ, MISSING, 0.2, {"costs": table})
    assert found == pytest.approx([-0.1, -0.5])
    assert np.mean(found) == pytest.approx(2.8 / 4.0 - 1)
    with pytest.raises(CannotTell, match="glucose"):
        recorded.change("glucose", READ, MISSING, None, {"costs": table})


def test_channel_claims_look_at_the_fullest_channel_and_the_highest_loss():
    table = rows(
        policy=[CHANNEL_BLIND, CHANNEL_READ] * 2,
        seed=0,
        loops=[2, 2, 9, 9],
        loss=[0.0, 0.0, 0.3, 0.3],
        delay=0.0,
        mse=[1.0, 1.0, 4.0, 1.0],
    )
    compared = ("mse", CHANNEL_READ, CHANNEL_BLIND)
    assert channel.at_most_loops(*compared, {"contention": table}) == [-0.75]
    assert channel.at_highest_loss(*compared, {"impairments": table}) == [-0.75]
    late = table.assign(delay=[0.0, 0.0, 1.0, 1.0], loss=0.0)
    assert channel.at_longest_delay(*compared, {"impairments": late}) == [-0.75]
    with pytest.raises(CannotTell, match="delays no messages"):
        channel.at_longest_delay(*compared, {"impairments": table})
    with pytest.raises(CannotTell, match="loses no messages"):
        channel.at_highest_loss(*compared, {"impairments": table.assign(loss=0.0)})


def test_nonlinear_changes_are_averaged_over_plants_within_a_seed():
    table = rows(
        system=["pendulum", "pendulum", "lorenz", "lorenz"],
        policy=[BLIND, ZERO] * 2,
        seed=0,
        cost=[1.0, 0.5, 2.0, 1.8],
    )
    assert nonlinear.change("lorenz", ZERO, BLIND, {"costs": table}) == pytest.approx([-0.1])
    assert nonlinear.mean_change(ZERO, BLIND, {"costs": table}) == pytest.approx([-0.3])


@pytest.mark.parametrize(
    "claims",
    [
        learning.learning_claims(),
        nonlinear.nonlinear_claims(),
        recorded.recorded_claims({"openacc": [0.05, 0.2]}),
        channel.channel_claims(),
    ],
)
def test_every_claim_is_marked_as_a_reconstruction_without_a_published_figure(claims):
    assert len({claim.id for claim in claims}) == len(claims)
    assert all(claim.reconstruction and claim.published is None for claim in claims)
