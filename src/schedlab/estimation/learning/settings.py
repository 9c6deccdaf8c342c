"""Every setting of the training, with the values that gave the published numbers of ours."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from schedlab.lab.parameters import Parameters

Share = Annotated[float, Field(ge=0, le=1)]
Widths = Annotated[list[PositiveInt], Field(min_length=1)]


class TrainingSettings(Parameters):
    """Settings of the alternating training.

    Attributes
    ----------
    rounds
        Turns of scheduler and estimator.
    iterations
        Roll-outs, each followed by a policy update, per round.
    plants, steps
        Parallel plants, and steps of a roll-out. States are kept between roll-outs.
    hidden
        Units of each hidden layer of actor and critic (tanh).
    error_unit
        Deviations of the one-step prediction error that make one unit of the networks' inputs;
        smaller resolves the edges of silence better.
    epochs, minibatch
        Passes over a roll-out, and transitions a gradient step.
    rate, final_rate_share
        Adam's learning rate of actor and critic, and the share of it that is left at the end of a
        linear fall.
    clip, gae, value_weight, gradient_norm
        PPO's clipping range, the lambda of generalised advantage estimation, weight of the
        critic's loss, largest norm of a gradient.
    entropy
        Weight of the entropy bonus, annealed linearly to zero.
    estimator
        ``table``: a bias per age, refitted in closed form; ``network``: a perceptron on last
        message and age, added to the noise-free prediction.
    ages
        Ages the table holds; older silences share the last one.
    estimator_hidden, estimator_rate, estimator_steps, estimator_minibatch
        The perceptron's hidden units, and how Adam fits it each round.
    fewest_silences
        Silent samples (of an age, for a table) below which the estimator is left as it is.
    longest_silence
        Age at which a message is forced, for unstable plants; None never forces.
    lloyd_samples, lloyd_tries
        Samples and restarts of the Lloyd-style start.
    check_plants, check_steps
        Plants and steps that compare the pairs of all rounds, on common random numbers.
    """

    rounds: PositiveInt = 8
    iterations: PositiveInt = 4
    plants: PositiveInt = 128
    steps: PositiveInt = 64
    hidden: Widths = Field(default=[32, 32])
    error_unit: PositiveFloat = 0.5
    epochs: PositiveInt = 4
    minibatch: PositiveInt = 1024
    rate: PositiveFloat = 4e-3
    final_rate_share: Share = 0.1
    clip: PositiveFloat = 0.2
    gae: Share = 0.95
    value_weight: PositiveFloat = 0.5
    gradient_norm: PositiveFloat = 0.5
    entropy: NonNegativeFloat = 0.01
    estimator: Literal["table", "network"] = "table"
    ages: PositiveInt = 20
    estimator_hidden: Widths = Field(default=[32, 32])
    estimator_rate: PositiveFloat = 3e-3
    estimator_steps: PositiveInt = 300
    estimator_minibatch: PositiveInt = 2048
    fewest_silences: PositiveInt = 50
    longest_silence: PositiveInt | None = None
    lloyd_samples: PositiveInt = 4000
    lloyd_tries: PositiveInt = 8
    check_plants: PositiveInt = 512
    check_steps: PositiveInt = 100


class DQNSettings(Parameters):
    """Settings of the deep Q-network.

    Attributes
    ----------
    updates
        Steps of all plants, each followed by one gradient step.
    plants
        Parallel plants.
    hidden
        Units of each hidden layer (GELU).
    rate, gradient_norm
        Adam's learning rate, falling linearly to a tenth, and the largest norm of a gradient.
    replay, batch
        Steps of all plants that are remembered, and transitions a gradient step.
    target_every
        Gradient steps between copies of the target network.
    first_chance, last_chance
        Probability of a random action at the start, and from half of the updates on.
    error_unit
        Deviations of the one-step prediction error that make one unit of the network's inputs.
    """

    updates: PositiveInt = 1500
    plants: PositiveInt = 32
    hidden: Widths = Field(default=[100, 100, 100])
    rate: PositiveFloat = 1e-3
    gradient_norm: PositiveFloat = 1.0
    replay: PositiveInt = 500
    batch: PositiveInt = 128
    target_every: PositiveInt = 50
    first_chance: Share = 1.0
    last_chance: Share = 0.1
    error_unit: PositiveFloat = 0.5
