"""T5 is that of its paper: buckets of offsets, one table a stack, no look ahead."""

from __future__ import annotations

import torch

from studio.blocks.position import bucket
from studio.zoo.t5 import T5, T5Config


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


def model() -> T5:
    torch.manual_seed(0)
    return T5(T5Config(depth=3, decoder_depth=2, embed_dim=64, num_heads=4, vocab_size=99)).eval()


def test_each_stack_has_one_table_of_offsets() -> None:
    tables = [name for name in model().state_dict() if "position" in name]
    assert tables == [
        f"{stack}.blocks.0.attention.position.weight" for stack in ("encoder", "decoder")
    ]


def test_a_word_does_not_depend_on_those_after_it() -> None:
    t5 = model()
    source, target = torch.randint(99, (1, 20)), torch.randint(99, (1, 30))
    changed = torch.cat((target[:, :9], (target[:, 9:] + 1) % 99), dim=1)
    before, after = t5(source, target), t5(source, changed)
    torch.testing.assert_close(before[:, :9], after[:, :9])
    assert not torch.allclose(before[:, 9:], after[:, 9:])
