import pytest

from schedlab.estimation.env import RemoteEstimation
from schedlab.estimation.plants import system

pytest.importorskip("stable_baselines3", reason="the extra rl is not installed")


def test_its_checker_accepts_the_environment():
    from stable_baselines3.common.env_checker import check_env

    check_env(RemoteEstimation(system("S2"), steps=20))


def test_its_ppo_sees_a_time_limit_as_truncation_and_learns_through_it():
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv

    env = DummyVecEnv([lambda: RemoteEstimation(system("S1"), steps=10)] * 2)
    env.seed(0)
    env.reset()
    for _ in range(10):
        _, _, done, infos = env.step([1, 0])
    assert done.all()
    assert all(info["TimeLimit.truncated"] and "terminal_observation" in info for info in infos)
    model = PPO("MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=1, device="cpu", seed=0)
    model.learn(64)
    assert model.num_timesteps == 64
