"""BERT, GPT and Llama give what transformers gives, weight for weight. Runs where that is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import studio
from tests.designs import tensors

pytestmark = pytest.mark.filterwarnings("ignore")  # of its imports
TRANSPOSED = ("c_attn.weight", "c_proj.weight", "c_fc.weight")  # Conv1D keeps (in, out)
LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


@pytest.fixture(scope="module")
def transformers() -> Any:
    return pytest.importorskip("transformers")


def copied(theirs: nn.Module, mine: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Both with the same random weights, parameter by parameter in order."""
    torch.manual_seed(0)
    pairs = zip(theirs.named_parameters(), mine.parameters(), strict=True)
    with torch.no_grad():
        for (name, source), target in pairs:
            nn.init.normal_(source, std=0.2 if source.dim() > 1 else 0.5)
            target.copy_(source.T if name.endswith(TRANSPOSED) else source)
    return theirs.eval(), mine.eval()


def distance(mine: Any, theirs: Any) -> float:
    def apart(a: Tensor, b: Tensor) -> float:
        return float((a - b).abs().max() / b.abs().max())

    return max(apart(a, b) for a, b in zip(tensors(mine), theirs.to_tuple(), strict=True))


@pytest.mark.parametrize(
    ("head", "reference"),
    [
        ("PooledFeatures", "BertModel"),
        ("MaskedLMHead", "BertForMaskedLM"),
        ("PreTrainingHead", "BertForPreTraining"),
        ("ClassificationHead", "BertForSequenceClassification"),
    ],
)
def test_bert(transformers: Any, head: str, reference: str) -> None:
    config = transformers.BertConfig(
        vocab_size=99,
        hidden_size=128,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=512,
        attn_implementation="eager",
    )
    design = studio.design(
        "bert", preset="BERT-tiny", depth=3, vocab_size=99, seq_len=48, head=head
    )
    theirs, mine = copied(getattr(transformers, reference)(config), studio.build(design))
    (tokens,) = studio.example(design, batch=2)
    segments = torch.randint(2, tokens.shape)
    with torch.no_grad():
        assert distance(mine(tokens), theirs(tokens)) < 1e-5
        two = theirs(tokens, token_type_ids=segments)
        assert distance(mine(tokens, segments), two) < 1e-5


@pytest.mark.parametrize(
    ("block", "model", "config"),
    [
        ("PreNormBlock", "GPT2LMHeadModel", "GPT2Config"),
        ("PostNormBlock", "OpenAIGPTLMHeadModel", "OpenAIGPTConfig"),
    ],
)
def test_gpt(transformers: Any, block: str, model: str, config: str) -> None:
    sizes = {"vocab_size": 99, "n_embd": 128, "n_layer": 3, "n_head": 4, "n_positions": 64}
    reference = getattr(transformers, model)(getattr(transformers, config)(**sizes))
    start = studio.design("gpt", preset="GPT-2 small", depth=3, vocab_size=99, block=block)
    design = start.replace(num_heads=4).replace(embed_dim=128, seq_len=64, max_seq_len=64)
    theirs, mine = copied(reference, studio.build(design))
    (tokens,) = studio.example(design, batch=2)
    with torch.no_grad():
        assert distance(mine(tokens), theirs(tokens, use_cache=False)) < 1e-5


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"num_key_value_heads": 8}, {"num_kv_heads": 8}),
        (
            {"num_key_value_heads": 2, "tie_word_embeddings": True},
            {"num_kv_heads": 2, "tied_head": True},
        ),
        (
            {"rope_parameters": LLAMA_3, "num_key_value_heads": 1},
            {"rope_theta": 500000.0, "rope_factor": 8.0, "num_kv_heads": 1},
        ),
    ],
    ids=["a head each", "grouped and tied", "stretched"],
)
def test_llama(transformers: Any, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    config = transformers.LlamaConfig(
        vocab_size=99,
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=3,
        num_attention_heads=8,
        rms_norm_eps=1e-5,
        **{"tie_word_embeddings": False} | theirs,
    )
    sizes: dict[str, Any] = {"embed_dim": 128, "head_dim": 16, "seq_len": 640, "vocab_size": 99}
    design = studio.design(
        "llama", depth=3, mlp_ratio=352 / 128, num_heads=8, **sizes, **{"tied_head": False} | ours
    )
    reference, mine = copied(transformers.LlamaForCausalLM(config), studio.build(design))
    (tokens,) = studio.example(design, batch=2)
    with torch.no_grad():
        assert distance(mine(tokens), reference(tokens, use_cache=False)) < 1e-5
