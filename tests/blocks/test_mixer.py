"""The layer of the MLP-Mixer has the size of the published one."""

from __future__ import annotations

from studio.blocks.mixer import MixerLayer


def test_eight_layers_and_the_ends_are_mixer_s_16() -> None:
    """Tolstikhin et al. 2021, Table 1: 196 tokens of 512; as many as timm's mixer_s16_224 has."""
    layer = sum(p.numel() for p in MixerLayer(196, 512, 256, 2048).parameters())
    patches, norm, head = 3 * 16 * 16 * 512 + 512, 2 * 512, 512 * 1000 + 1000
    assert patches + 8 * layer + norm + head == 18_528_264
