"""Paged KV memory: how many blocks are used and who may have more."""

from schedlab.serving.request import Request

TOTAL_BLOCKS = 14_733
"""KV blocks of Mistral-7B on one RTX 6000 Ada, as reported by the authors' engine."""


class BlockMemory:
    """Blocks of KV cache, counted rather than stored.

    Parameters
    ----------
    total_blocks
        Blocks the device holds.
    block_size
        Tokens in a block.
    watermark
        Share of the blocks that admission leaves free; decodes may use it.
    """

    def __init__(
        self, total_blocks: int = TOTAL_BLOCKS, block_size: int = 16, watermark: float = 0.01
    ) -> None:
        if total_blocks < 1 or block_size < 1:
            raise ValueError(
                f"total_blocks and block_size must be >= 1, got {total_blocks} and {block_size}"
            )
        if not 0 <= watermark < 1:
            raise ValueError(f"watermark must be in [0, 1), got {watermark}")
        self.total_blocks = total_blocks
        self.block_size = block_size
        self.watermark_blocks = int(watermark * total_blocks)
        self.used_blocks = 0

    @property
    def free_blocks(self) -> int:
        """Blocks nobody owns."""
        return self.total_blocks - self.used_blocks

    @property
    def use(self) -> float:
        """Used share of all blocks."""
        return self.used_blocks / self.total_blocks

    def blocks_for(self, tokens: int) -> int:
        """Return the number of blocks that hold so many tokens."""
        return -(-tokens // self.block_size)

    def fits_ever(self, tokens: int) -> bool:
        """Return whether a request that grows to so many tokens can finish alone.

        It must pass the watermark when it is admitted again after a preemption, and a decode
        asks for one free block even when it does not need it.
        """
        return self.blocks_for(tokens) + max(1, self.watermark_blocks) <= self.total_blocks

    def shortage(self, request: Request, tokens: int) -> int:
        """Return the blocks that a request lacks to hold so many tokens."""
        return max(0, self.blocks_for(tokens) - request.num_blocks)

    def needs_block(self, request: Request) -> bool:
        """Return whether the next decode of a request takes a new block."""
        return request.num_tokens > request.num_blocks * self.block_size

    def allocate(self, request: Request, tokens: int | None = None) -> None:
        """Give a request the blocks that it lacks for so many tokens, by default for all it has."""
        blocks = self.shortage(request, request.num_tokens if tokens is None else tokens)
        request.num_blocks += blocks
        self.used_blocks += blocks

    def free(self, request: Request) -> None:
        """Take all blocks back."""
        self.used_blocks -= request.num_blocks
        request.num_blocks = 0
