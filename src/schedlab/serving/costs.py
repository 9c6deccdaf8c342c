"""How long a batch takes: cost models as small callable objects.

A cost model maps :class:`Work` to seconds. Its ``peak_tokens_per_s`` is the largest ratio of
tokens to time that any batch can reach, which is what Theorem 1 bounds throughput with.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, isinf
from typing import NamedTuple


class Work(NamedTuple):
    """What one batch computes.

    Attributes
    ----------
    prefills
        One ``(tokens, tokens already cached)`` pair for each prefill chunk.
    decode_tokens
        Number of requests that decode one token.
    decode_context
        Sum of the context lengths that those decodes read.
    """

    prefills: tuple[tuple[int, int], ...] = ()
    decode_tokens: int = 0
    decode_context: int = 0

    @property
    def tokens(self) -> int:
        """All tokens of the batch."""
        return sum(tokens for tokens, _ in self.prefills) + self.decode_tokens


CostModel = Callable[[Work], float]


@dataclass(frozen=True)
class MeasuredTable:
    """Piecewise linear time in the number of tokens, plus reading the KV cache of the decodes.

    Parameters
    ----------
    tokens, seconds
        Measured points, ``tokens`` increasing from 1.
    slope_beyond_s
        Seconds for each token beyond the last point.
    kv_read_s
        Seconds for each token of context that a decode reads.
    """

    tokens: tuple[int, ...]
    seconds: tuple[float, ...]
    slope_beyond_s: float
    kv_read_s: float = 0.0

    def __call__(self, work: Work) -> float:
        """Return the seconds that a batch takes."""
        return self.linear(work.tokens) + self.kv_read_s * work.decode_context

    def linear(self, tokens: int) -> float:
        """Return the seconds for the layers that only depend on the number of tokens."""
        after = bisect_right(self.tokens, tokens)
        x, y = self.tokens[after - 1], self.seconds[after - 1]
        if after == len(self.tokens):
            return y + self.slope_beyond_s * (tokens - x)
        slope = (self.seconds[after] - y) / (self.tokens[after] - x)
        return y + slope * (tokens - x)

    @property
    def peak_tokens_per_s(self) -> float:
        """Largest tokens per second: at a measured point or in the limit of large batches."""
        measured = max(n / t for n, t in zip(self.tokens, self.seconds, strict=True))
        return max(measured, 1 / self.slope_beyond_s)


@dataclass(frozen=True)
class TileStaircase:
    """Eq. (7) of the paper without attention: a pass for every tile begun, and a time per token.

    Parameters
    ----------
    tile_tokens
        Tokens in a tile, ``b_col``.
    pass_s
        Seconds of one tile pass through all linear layers, ``1 / c_Lin``.
    token_s
        Seconds of the non-linear operations for one token, ``1 / c_nLin``.
    """

    tile_tokens: int = 128
    pass_s: float = 4000e-6
    token_s: float = 5e-6

    def __post_init__(self) -> None:
        if self.tile_tokens < 1 or not self.pass_s > 0 or isinf(self.pass_s) or self.token_s < 0:
            raise ValueError(
                f"tile_tokens >= 1, pass_s > 0 and token_s >= 0 are needed, got {self}"
            )

    def __call__(self, work: Work) -> float:
        """Return the seconds that a batch takes."""
        tokens = work.tokens
        return self.pass_s * ceil(tokens / self.tile_tokens) + self.token_s * tokens

    @property
    def peak_tokens_per_s(self) -> float:
        """Tokens per second of full tiles."""
        return 1 / (self.pass_s / self.tile_tokens + self.token_s)


# Time per prefill batch that the SLAI authors measured for Mistral-7B (fp16) on one RTX 6000 Ada
# with 100 prompts of 2,048 tokens (agrimUT/SLAI 5098a7a, scripts/plot1_results.csv: median TTFT
# divided by the number of chunks; 384 and 768 do not divide 2,048 and are left out), about 22.6 ms
# for a lone decode, and 0.0932 ms a token beyond, the slope between 512 and 1,024 tokens.
# A decode reads 131,072 bytes for each token of context (32 layers x 8 heads x 128 x 2 x 2 bytes);
# 80 % of the device's 960 GB/s is an assumption.
ADA_MISTRAL7B = MeasuredTable(
    tokens=(1, 64, 128, 256, 512, 1024),
    seconds=(0.02257, 0.02263, 0.02414, 0.02986, 0.05304, 0.10076),
    slope_beyond_s=0.0932e-3,
    kv_read_s=1.7067e-7,
)

COST_MODELS: dict[str, CostModel] = {"ada-mistral7b": ADA_MISTRAL7B, "tile": TileStaircase()}
"""Cost models by the name that ``params.yaml`` uses."""
