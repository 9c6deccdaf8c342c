"""A ranker as a user would write one: it believes that long questions get short answers."""

import numpy as np


class Backwards:
    def fit(self, prompts, lengths):
        self.longest = max(map(len, prompts))
        return self

    def score(self, prompts):
        return np.array([len(prompt) / self.longest for prompt in prompts])
