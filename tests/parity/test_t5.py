"""T5 gives what transformers gives, weight for weight. Runs where transformers is installed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from studio.zoo.t5 import T5, GatedGELUFeedForward, ReLUFeedForward, T5Config

pytestmark = pytest.mark.filterwarnings("ignore")  # of its imports


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


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


@pytest.mark.parametrize("tied", [True, False])
def test_outputs_and_weights_in_order_are_those_of_transformers(
    transformers: Any, tied: bool
) -> None:
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
