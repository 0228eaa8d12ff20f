"""A GPT-2 of Hugging Face's with random weights, and this project's of the same."""

import os

import torch
import transformers

from adl.core import PyTree
from adl.nn import pretrained
from adl.nn.transformer import GPT


def both_gpt2(model: dict[str, int]) -> tuple[torch.nn.Module, GPT, PyTree]:
    """(theirs, ours, the parameters of ours), with matrices four times as large as at the start, so that texts differ.

    Theirs uses as many threads as there are cores.

    Args:
      model: sizes, as `GPT2Config` takes them.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    transformers.logging.set_verbosity_error()
    peer = transformers.GPT2LMHeadModel(transformers.GPT2Config(**model, bos_token_id=0, eos_token_id=0)).eval()
    with torch.no_grad():
        for parameter in peer.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)
    tensors = {name: tensor.numpy() for name, tensor in peer.state_dict().items()}
    network, params, _ = pretrained.load(peer.config.to_dict(), tensors)
    return peer, network, params
