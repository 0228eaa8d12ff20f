"""A GPT-2 of random weights, here and in Hugging Face's library, and prompts of different lengths."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
import transformers

from adl.nn import pretrained
from adl.nn.transformer import GPT, Cache
from adl.sequence.decode import reading
from adl.sequence.language import Read

V, PROMPT, NEW, STOP, PAD = 31, 7, 9, (12, 9), 1


class Both(NamedTuple):
    """One network, twice, and what they read."""

    model: GPT
    params: dict
    peer: transformers.GPT2LMHeadModel
    token: np.ndarray  # [B, P]
    mask: np.ndarray  # [B, P], padding at the left, as there

    @property
    def read(self) -> Read:
        return reading(self.model, {"params": self.params})

    @property
    def cache(self) -> Cache:
        """Exactly as long as it must be."""
        return self.model.empty_cache(len(self.token), PROMPT + NEW - 1)

    @property
    def given(self) -> dict:
        """What decoding here takes, beside prompts and their mask."""
        return {"num_tokens": NEW, "stop": STOP, "pad": PAD}

    def theirs(self, **options) -> np.ndarray:
        """`[B, N]` of what their library goes on with, and padding."""
        options = {"max_new_tokens": NEW, "do_sample": False, "pad_token_id": PAD, "eos_token_id": list(STOP)} | options
        with torch.no_grad():
            mask = torch.tensor(self.mask).long()
            got = self.peer.generate(torch.tensor(self.token), attention_mask=mask, **options)
        got = got[:, PROMPT:].numpy()
        return np.pad(got, ((0, 0), (0, NEW - got.shape[1])), constant_values=PAD)


@pytest.fixture(scope="session")
def gpt2() -> Both:
    """Of weights so large that texts differ and end, and places matter."""
    sizes = {"vocab_size": V, "n_positions": 16, "n_embd": 12, "n_layer": 2, "n_head": 3}
    ends = {"bos_token_id": PAD, "eos_token_id": STOP[0]}
    torch.manual_seed(1)
    peer = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, **ends))
    with torch.no_grad():
        for parameter in peer.parameters():  # vectors are those of norms, and biases, which would say one word alone
            if parameter.ndim > 1:
                parameter.copy_(0.6 * torch.randn(parameter.shape))
    tensors = {name: tensor.numpy() for name, tensor in peer.eval().state_dict().items()}
    token = np.random.default_rng(0).integers(4, V, (5, PROMPT))
    mask = np.arange(PROMPT)[None] >= np.array([[0], [2], [6], [0], [3]])
    model, params, _ = pretrained.load(peer.config.to_dict(), tensors)
    return Both(model, params, peer, token, mask)
