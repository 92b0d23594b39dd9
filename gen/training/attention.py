"""Causal attention whose softmax weights are rounded to 7 bits, tile by tile so that the scores stay in the cache.

The weights are what the hardware's quantiser makes of ``p'_t = e_t·s_t``, ``s_t`` the scale of the values of token t:
integers of at most 127, of which the largest is 127. The gradient is that of ordinary attention over the same queries,
keys and values: the rounding passes straight through.
"""
# pyright: reportMissingImports=false
# PyTorch is optional, so the types must also check where it is not installed.

from collections.abc import Iterator
from typing import Any, Final

import torch

from golden.formats import ACTIVATION_MAX

TILE: Final = 64
"""Queries of a tile on a CPU: scores of 4 heads and 256 keys are then 256 KB."""


class RoundedAttention(torch.autograd.Function):
    """Attention of H heads over K key and value heads.

    Parameters
    ----------
    queries
        Shape (B, K, H/K, T, h), already divided by √h.
    keys, values
        Shape (B, K, T, h); what they are worth, not their digits.
    scales
        Shape (B, K, T): what one digit of the values is worth; None leaves the weights as they are.
    mask
        Shape (B, T, T): 0 where a query sees a key and -inf elsewhere, as everywhere after the diagonal.

    Returns
    -------
    Contexts, shape (B, K, H/K, T, h).

    """

    @staticmethod
    def forward(
        ctx: Any,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        scales: torch.Tensor | None,
        mask: torch.Tensor,
    ) -> torch.Tensor:
        """See the class."""
        digits = values if scales is None else (values / scales[..., None]).round_()
        contexts = torch.empty_like(queries)
        logarithms = queries.new_empty(queries.shape[:-1])
        for item, head, rows, end in _tiles(queries):
            query = queries[item, head, :, rows]
            weights = _scores(query, keys[item, head, :end], mask[item, rows, :end])
            largest = weights.amax(-1, keepdim=True)
            weights.sub_(largest).exp_()
            total = weights.sum(-1, keepdim=True)
            logarithms[item, head, :, rows] = (largest + total.log()).squeeze(-1)
            unit = 1 / total
            if scales is not None:
                weights.mul_(scales[item, head, :end])
                peak = weights.amax(-1, keepdim=True)
                weights.mul_(ACTIVATION_MAX / peak).round_()
                unit = unit * peak / ACTIVATION_MAX
            contexts[item, head, :, rows] = (weights @ digits[item, head, :end]).mul_(unit)
        ctx.save_for_backward(queries, keys, values, mask, logarithms)
        return contexts

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Of the unrounded weights, which are computed again."""
        queries, keys, values, mask, logarithms = ctx.saved_tensors
        of_queries, of_keys, of_values = (torch.zeros_like(tensor) for tensor in (queries, keys, values))
        for item, head, rows, end in _tiles(queries):
            query, key, value = queries[item, head, :, rows], keys[item, head, :end], values[item, head, :end]
            gradient = gradients[0][item, head, :, rows]
            weights = _scores(query, key, mask[item, rows, :end])
            weights.sub_(logarithms[item, head, :, rows, None]).exp_()
            of_values[item, head, :end] += weights.flatten(0, 1).t() @ gradient.flatten(0, 1)
            of_scores = gradient @ value.t()
            of_scores.sub_((of_scores * weights).sum(-1, keepdim=True)).mul_(weights)
            of_queries[item, head, :, rows] = of_scores @ key
            of_keys[item, head, :end] += of_scores.flatten(0, 1).t() @ query.flatten(0, 1)
        return of_queries, of_keys, of_values, None, None


def attend_at_once(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scales: torch.Tensor | None, mask: torch.Tensor
) -> torch.Tensor:
    """The same without tiles, for devices that do much at a time; parameters as for `RoundedAttention`."""
    weights = (queries @ keys[:, :, None].transpose(-1, -2) + mask[:, None, None]).softmax(-1)
    if scales is not None:
        steps = scales[:, :, None, None]
        scaled = weights.detach() * steps
        unit = scaled.amax(-1, keepdim=True) / ACTIVATION_MAX
        weights = weights + ((scaled / unit).round() * unit / steps - weights.detach())
    return weights @ values[:, :, None]


def _scores(queries: torch.Tensor, keys: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (queries @ keys.t()).add_(mask)


def _tiles(queries: torch.Tensor) -> Iterator[tuple[int, int, slice, int]]:
    """Places of the tiles among the queries, and how many keys each sees."""
    items, heads, _, tokens, _ = queries.shape
    for item in range(items):
        for head in range(heads):
            for start in range(0, tokens, TILE):
                end = min(start + TILE, tokens)
                yield item, head, slice(start, end), end
