"""What a kernel saves that skips the masked half of causal attention."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

import studio
from studio.analysis.cost.attention_cost import causal_note, causal_saving
from studio.analysis.cost.profiler import training_trace
from studio.cli import tables
from studio.family import Family
from tests.designs import small

FAMILIES = studio.families()
CAUSAL = {"gpt", "llama", "t5", "transformer"}


class Hidden(TorchFunctionMode):
    """Adds up the products of a real run that a causal mask hides, from the mask's own values."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            self.macs += hidden(*args[:3], **kwargs)
        return func(*args, **kwargs)


def hidden(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    **_: Any,
) -> int:
    later = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).triu(1)
    is_masked = attn_mask is not None and bool((attn_mask == float("-inf")).eq(later).all())
    products = query[..., 0, 0].numel() * (query.shape[-1] + value.shape[-1])
    return products * int(later.sum()) if is_causal or is_masked else 0


@pytest.mark.parametrize("family", FAMILIES.values(), ids=str)
def test_the_saving_is_what_the_masks_of_a_real_run_hide(family: Family) -> None:
    design = small(family)
    with torch.no_grad(), Hidden() as seen:
        studio.build(design).eval()(*studio.example(design, 2))
    found = studio.profile(design, 2)
    assert found.causal_saving_macs == seen.macs
    assert causal_saving(training_trace(design, 2)) == seen.macs
    assert (seen.macs > 0) == (family.key in CAUSAL)
    assert bool(causal_note(found.root)) == ("attention counted in full" in tables.profile(found))


@pytest.mark.parametrize("seq_len", [64, 1024])
def test_gpts_saving_is_the_closed_formula(seq_len: int) -> None:
    """Of N² pairs of tokens N(N - 1)/2 lie above the diagonal, in two products of D MACs each."""
    found = studio.profile(studio.design("gpt", "GPT-2 small", seq_len=seq_len), 3)
    assert found.causal_saving_macs == 3 * 12 * 2 * 768 * seq_len * (seq_len - 1) // 2
    assert found.to_dict()["causal_saving_macs"] == found.causal_saving_macs


def test_the_saving_is_told_with_its_number() -> None:
    found = studio.profile(studio.design("gpt", "GPT-2 small", seq_len=1024))
    assert "skips the masked half saves up to 9.65 GMACs" in causal_note(found.root)
    assert "saves up to 9,654,239,232 MACs" in tables.profile(found)
