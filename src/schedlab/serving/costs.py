"""How long a batch takes: cost models as small callable objects.

A cost model maps :class:`Work` to seconds. Its ``peak_tokens_per_s`` is the largest ratio of
tokens to time that any batch can reach, which is what Theorem 1 bounds throughput with.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
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


@dataclass(frozen=True)
class ProfiledStaircase:
    """The time measured at the next profiled size: kernels pay for every tile begun.

    Parameters
    ----------
    tokens, seconds
        Profiled sizes, increasing, and their times. Beyond the last one time is in proportion.
    attention
        Seconds of attention for a batch's work; None to leave attention out.
    """

    tokens: tuple[int, ...]
    seconds: tuple[float, ...]
    attention: CostModel | None = None

    def __call__(self, work: Work) -> float:
        """Return the seconds that a batch takes."""
        linear = self.linear(work.tokens)
        return linear if self.attention is None else linear + self.attention(work)

    def linear(self, tokens: int) -> float:
        """Return the seconds for the layers that only depend on the number of tokens."""
        at = bisect_left(self.tokens, tokens)
        if at == len(self.tokens):
            return self.seconds[-1] * tokens / self.tokens[-1]
        return self.seconds[at]

    @property
    def peak_tokens_per_s(self) -> float:
        """Largest tokens per second, reached at a profiled size without attention."""
        return max(n / t for n, t in zip(self.tokens, self.seconds, strict=True))


@dataclass(frozen=True)
class AttentionTable:
    """Measured attention, interpolated; beyond the tables time is in proportion.

    Parameters
    ----------
    prefill_tokens, prefill_s
        Lengths of whole prompts, and seconds of their causal attention.
    decode_requests, decode_contexts, decode_s
        Numbers of decodes, contexts of each, and seconds: one row per context.
    """

    prefill_tokens: tuple[int, ...]
    prefill_s: tuple[float, ...]
    decode_requests: tuple[int, ...]
    decode_contexts: tuple[int, ...]
    decode_s: tuple[tuple[float, ...], ...]

    def __call__(self, work: Work) -> float:
        """Return the seconds of attention of a batch."""
        seconds = 0.0
        for tokens, cached in work.prefills:  # from Python 3.12 on sum() would round differently
            seconds += self.prefill(tokens, cached)
        if work.decode_tokens:
            seconds += self.decode(work.decode_tokens, work.decode_context / work.decode_tokens)
        return seconds

    def prefill(self, tokens: int, cached: int) -> float:
        """Return the seconds for a chunk: what it adds to the prompt, at least a short prompt."""
        alone = _interpolate(self.prefill_tokens, self.prefill_s, tokens)
        if not cached:
            return alone
        whole, before = (
            _interpolate(self.prefill_tokens, self.prefill_s, n) for n in (cached + tokens, cached)
        )
        return max(alone, whole - before)

    def decode(self, requests: int, context: float) -> float:
        """Return the seconds for decodes of a mean context."""
        low, high, share, scale = _place(self.decode_contexts, context)
        rows = (self.decode_s[low], self.decode_s[high])
        near, far = (_interpolate(self.decode_requests, row, requests) for row in rows)
        return scale * (near + share * (far - near))


def _place(points: tuple[int, ...], x: float) -> tuple[int, int, float, float]:
    """Return the neighbours of x, its place between them, and a factor for what is beyond."""
    after = bisect_right(points, x)
    if after == 0:
        return 0, 0, 0.0, 1.0
    if after == len(points):
        return after - 1, after - 1, 0.0, x / points[-1]
    low = points[after - 1]
    return after - 1, after, (x - low) / (points[after] - low), 1.0


def _interpolate(points: tuple[int, ...], values: tuple[float, ...], x: float) -> float:
    low, high, share, scale = _place(points, x)
    return scale * (values[low] + share * (values[high] - values[low]))


@dataclass(frozen=True)
class LinearPerSequence:
    """A time per batch, per request in it, per prompt token and per token of decoded context.

    Parameters
    ----------
    batch_s, request_s, prefill_token_s, context_token_s
        Seconds of each.
    """

    batch_s: float
    request_s: float
    prefill_token_s: float
    context_token_s: float

    def __call__(self, work: Work) -> float:
        """Return the seconds that a batch takes."""
        decodes = work.decode_tokens
        return (
            self.batch_s
            + self.request_s * (len(work.prefills) + decodes)
            + self.prefill_token_s * (work.tokens - decodes)
            + self.context_token_s * work.decode_context
        )

    @property
    def peak_tokens_per_s(self) -> float:
        """Tokens per second in the limit of large batches, of prompts or of decodes."""
        return max(1 / self.prefill_token_s, 1 / self.request_s)


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

# Nine operators of 32 layers of Llama-3-8B on one A100 80GB: medians of Vidur's profile
# (microsoft/vidur 7d47513, data/profiling/compute/a100, MIT) at these sizes, without attention.
# `a100-llama3-8b` has all 451 sizes of it; the edges of the tiles are those printed here.
A100_STAIRCASE = ProfiledStaircase(
    tokens=(1, 64, 128, 136, 256, 264, 384, 392, 512, 520, 768, 776, 1024),
    seconds=(
        *(0.0097, 0.0112),
        *(0.01318, 0.01806),
        *(0.01949, 0.02653),
        *(0.02774, 0.03307),
        *(0.03464, 0.03877),
        *(0.05294, 0.06501),
        0.07514,
    ),
)

# The same for Llama-2-7B on two other GPUs (same source); `h100-llama2-7b` and `a40-llama2-7b`
# have all sizes.
H100_STAIRCASE = ProfiledStaircase(
    tokens=A100_STAIRCASE.tokens,
    seconds=(
        *(0.00560, 0.00586),
        *(0.00637, 0.00848),
        *(0.00915, 0.00938),
        *(0.01104, 0.01254),
        *(0.01198, 0.01539),
        *(0.01882, 0.02027),
        0.02102,
    ),
)
A40_STAIRCASE = ProfiledStaircase(
    tokens=A100_STAIRCASE.tokens,
    seconds=(
        *(0.02394, 0.03005),
        *(0.03027, 0.03811),
        *(0.04458, 0.05046),
        *(0.05498, 0.06725),
        *(0.07110, 0.08106),
        *(0.09982, 0.10278),
        0.13686,
    ),
)

# The engine of the learning-to-rank paper (arXiv 2408.15792: vLLM 0.4.1 on A100 40GB). A prompt
# token costs what its table 4 says; time per batch and per request, mostly Python, are fitted to
# its table 1; reading the KV cache follows from the shapes of the models.
LLAMA3_8B_VLLM041 = LinearPerSequence(18e-3, 0.25e-3, 90e-6, 0.15e-6)
LLAMA3_70B_VLLM041 = LinearPerSequence(30e-3, 0.33e-3, 187e-6, 0.05e-6)

# The same model without that Python: linear, norm and rotary operations of Llama-3-8B on an A100
# by Vidur's profile (as above, but joined by straight lines), and the KV cache read at 1.55 TB/s.
# A floor: no engine is faster.
LLAMA3_8B_MODERN = MeasuredTable(
    tokens=(1, 64, 128, 256, 512, 768, 1024, 2048, 4096),
    seconds=(0.0097, 0.0112, 0.0132, 0.0195, 0.0346, 0.0529, 0.0751, 0.146, 0.274),
    slope_beyond_s=66e-6,
    kv_read_s=131_072 / 1.55e12,
)

KV_BLOCKS = {
    "ada-mistral7b": 14_733,
    "llama3-8b-a100-40g-modern": 9_400,
    "llama3-8b-a100-40g-vllm041": 9_400,
    "llama3-70b-8xa100-40g-vllm041": 27_800,
}
"""KV blocks of 16 tokens on the machine of a cost model, where known or estimated."""


class CostModels(Mapping[str, CostModel]):
    """Cost models by name, those from profiles in the catalogue read when first asked for."""

    def __init__(
        self, ready: dict[str, CostModel], profiled: dict[str, Callable[[], CostModel]]
    ) -> None:
        self._ready, self.profiled = dict(ready), profiled

    def __getitem__(self, name: str) -> CostModel:
        """Return a cost model, reading its profile if need be."""
        if name not in self._ready:
            self._ready[name] = self.profiled[name]()
        return self._ready[name]

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a name, without reading a profile."""
        return name in self._ready or name in self.profiled

    def __iter__(self) -> Iterator[str]:
        """Iterate over all names, those that need no profile first."""
        return iter(dict.fromkeys([*self._ready, *self.profiled]))

    def __len__(self) -> int:
        """Return the number of names."""
        return len(list(iter(self)))


def _profiled(name: str) -> Callable[[], CostModel]:
    def read() -> CostModel:
        from schedlab.serving import profiles  # costs nothing to those who need no profile

        return profiles.read(name)

    return read


COST_MODELS = CostModels(
    {
        "ada-mistral7b": ADA_MISTRAL7B,
        "tile": TileStaircase(),
        "a100-staircase": A100_STAIRCASE,
        "h100-staircase": H100_STAIRCASE,
        "a40-staircase": A40_STAIRCASE,
        "llama3-8b-a100-40g-modern": LLAMA3_8B_MODERN,
        "llama3-8b-a100-40g-vllm041": LLAMA3_8B_VLLM041,
        "llama3-70b-8xa100-40g-vllm041": LLAMA3_70B_VLLM041,
    },
    {
        name: _profiled(name)
        for name in ("a100-llama3-8b", "a100-llama2-7b", "h100-llama2-7b", "a40-llama2-7b")
    },
)
"""Cost models by the name that ``params.yaml`` uses; the last four need the catalogue."""
