"""T5 is that of its paper: the buckets of offsets, one table a stack, parity with transformers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from studio.zoo.t5 import T5, GatedGELUFeedForward, ReLUFeedForward, T5Config, bucket


def test_near_offsets_have_a_bucket_each_and_far_ones_share() -> None:
    offsets = torch.arange(-300, 301)
    both = dict(zip(offsets.tolist(), bucket(offsets, 32, causal=False).tolist(), strict=True))
    assert [both[-n] for n in range(9)] == list(range(9))
    assert [both[n] for n in range(1, 9)] == list(range(17, 25))
    assert both[-100] == both[-101] != both[-50]
    assert both[-128] == both[-300] == 15
    assert both[300] == 31
    back = dict(zip(offsets.tolist(), bucket(offsets, 32, causal=True).tolist(), strict=True))
    assert [back[-n] for n in range(17)] == list(range(17))
    assert {back[n] for n in range(300)} == {0}
    assert back[-300] == 31


def config(tied: bool) -> T5Config:
    return T5Config(
        depth=3,
        decoder_depth=2,
        embed_dim=64,
        mlp_dim=128,
        num_heads=4,
        head_dim=24,
        seq_len=304,
        target_len=200,
        vocab_size=99,
        feed_forward=ReLUFeedForward if tied else GatedGELUFeedForward,
        tied_head=tied,
    )


def test_each_stack_has_one_table_of_offsets() -> None:
    tables = [name for name in T5(config(tied=True)).state_dict() if "position" in name]
    assert tables == [
        f"{stack}.blocks.0.attention.position.weight" for stack in ("encoder", "decoder")
    ]


def test_a_word_does_not_depend_on_those_after_it() -> None:
    torch.manual_seed(0)
    model = T5(config(tied=True)).eval()
    source, target = torch.randint(99, (1, 20)), torch.randint(99, (1, 30))
    changed = torch.cat((target[:, :9], (target[:, 9:] + 1) % 99), dim=1)
    before, after = model(source, target), model(source, changed)
    torch.testing.assert_close(before[:, :9], after[:, :9])
    assert not torch.allclose(before[:, 9:], after[:, 9:])


@pytest.mark.parametrize("tied", [True, False])
def test_outputs_and_weights_in_order_are_those_of_transformers(tied: bool) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    theirs = transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=99,
            d_model=64,
            d_kv=24,
            d_ff=128,
            num_layers=3,
            num_decoder_layers=2,
            num_heads=4,
            feed_forward_proj="relu" if tied else "gated-gelu",
            decoder_start_token_id=0,
        )
    ).eval()
    if not tied:  # transformers 5 ties them whatever the config says; version 1.1 does not
        theirs.lm_head.weight = nn.Parameter(torch.empty(99, 64))
        theirs.config.tie_word_embeddings = theirs.config.scale_decoder_outputs = False
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    ours = T5(config(tied)).eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    source, target = torch.randint(99, (2, 304)), torch.randint(99, (2, 200))
    with torch.no_grad():
        expected = theirs(input_ids=source, decoder_input_ids=target).logits
        torch.testing.assert_close(ours(source, target), expected, rtol=1e-4, atol=1e-5)
    written = theirs.generate(source[:, :20], max_new_tokens=8, do_sample=False)
    assert torch.equal(ours.generate(source[:, :20], max_new_tokens=8), written[:, 1:])
