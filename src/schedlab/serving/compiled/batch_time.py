"""Compiled cost models: the operations of ``serving.costs`` in the same order, on their tables.

What depends on whole numbers only is not computed here but looked up: the cost models themselves
filled the tables, see :mod:`schedlab.serving.compiled.prepare`.
"""

from schedlab.serving.compiled.jit import called, inlined
from schedlab.serving.compiled.layout import SEQUENCES, TOKENS_AND_ATTENTION, Replica


@inlined
def seconds(replica: Replica) -> float:
    """Return the seconds of the batch under construction."""
    state, rules = replica.state[0], replica.rules[0]
    decodes, context = state.decode_tokens, state.decode_context
    if rules.cost == SEQUENCES:
        return (
            rules.batch_s
            + rules.request_s * (state.num_prefills + decodes)
            + rules.prefill_token_s * state.prefill_tokens
            + rules.context_token_s * context
        )
    tokens_s = replica.tokens_s[state.prefill_tokens + decodes]
    if rules.cost == TOKENS_AND_ATTENTION:
        return tokens_s + attention(replica)
    return tokens_s + rules.context_token_s * context


@called
def attention(replica: Replica) -> float:
    """Return the seconds of attention, as :class:`schedlab.serving.costs.AttentionTable` does."""
    state = replica.state[0]
    total_s = 0.0
    for at in range(state.num_members):
        request = replica.requests[replica.members[at]]
        if request.num_computed_tokens < request.num_prefill_tokens:
            total_s += chunk(replica, request.scheduled, request.num_computed_tokens)
    if state.decode_tokens > 0:
        total_s += decodes(replica, state.decode_context / state.decode_tokens)
    return total_s


@called
def chunk(replica: Replica, tokens: int, cached: int) -> float:
    """Return the seconds that a chunk adds to its prompt."""
    alone = replica.prompt_s[tokens]
    if cached == 0:
        return alone
    return max(alone, replica.prompt_s[cached + tokens] - replica.prompt_s[cached])


@called
def decodes(replica: Replica, context: float) -> float:
    """Return the seconds for the batch's decodes of a mean context."""
    contexts, table = replica.contexts, replica.decodes_s
    count = replica.state[0].decode_tokens
    after = 0
    while after < len(contexts) and contexts[after] <= context:
        after += 1
    if after == 0:
        return table[0, count]
    if after == len(contexts):
        return context / contexts[after - 1] * table[after - 1, count]
    share = (context - contexts[after - 1]) / (contexts[after] - contexts[after - 1])
    near, far = table[after - 1, count], table[after, count]
    return near + share * (far - near)
