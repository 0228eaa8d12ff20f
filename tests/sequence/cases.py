"""Models of sequences: language by several networks, translation, classes of texts, captions."""

import functools

import flax.linen as nn
import numpy as np
import optax

from adl.core import Algorithm
from adl.nn.encoder_decoder import EncoderDecoder
from adl.nn.experts import Experts
from adl.nn.picture_reader import Captioner, PictureGPT, PictureTokens
from adl.nn.recurrence import LRU, Layers, Mamba
from adl.nn.recurrent import Recurrents, lstm
from adl.nn.tcn import TCN
from adl.nn.token import TokenModel
from adl.nn.transformer import GPT
from adl.sequence.additive import AdditiveTranslator
from adl.sequence.captioning import captioning
from adl.sequence.hidden_words import masked_language_model, text_learner
from adl.sequence.language import language_model, truncated_bptt
from adl.sequence.preference import dpo, reward_model
from adl.sequence.rlhf import rlhf
from adl.sequence.text_classifier import text_classifier, text_network
from adl.sequence.translation import translation
from tests.case import Case, images


def texts(step: int) -> dict[str, np.ndarray]:
    return {"token": (np.arange(9)[None] + np.arange(16)[:, None] + step) % 5}


def answers(step: int) -> dict[str, np.ndarray]:
    """The same, of which the second half counts, and of some rows less."""
    return {**texts(step), "mask": (np.arange(8)[None] >= 4 + np.arange(16)[:, None] % 3).astype("f")}


def reversed_texts(step: int) -> dict[str, np.ndarray]:
    """What `texts` says, backwards, half of it shorter."""
    source = texts(step)["token"][:, :4]
    mask = (np.arange(5)[None] < 5 - np.arange(16)[:, None] % 2).astype(bool)
    target = np.concatenate([np.zeros((16, 1), int), source[:, ::-1]], 1)
    return {"source": source, "source_mask": mask[:, 1:], "target": target, "target_mask": mask}


def classified(step: int) -> dict[str, np.ndarray]:
    """What `texts` says, some of it shorter, with its first token as the class, and rows that count for nothing."""
    token = np.where(np.arange(9)[None] < 9 - np.arange(16)[:, None] % 3, texts(step)["token"], -1)
    return {
        "token": token,
        "label": token[:, 0] % 2,
        "mask": (np.arange(16) % 4 > 0).astype("f"),
        "fold": np.arange(16) // 2 % 2,
    }


def pictured(step: int) -> dict[str, np.ndarray]:
    """Pictures, and after each its brightness in so many words."""
    image, token = images(step)["image"], texts(step)["token"].astype(np.int32)
    token[:, 1:] = (image.mean((1, 2, 3)) > 127)[:, None]
    return {"image": image, "token": token, "mask": np.ones((16, 8), "f")}


def predict_next(model: nn.Module, axis: str | None, **options) -> Algorithm:
    # Softmax does not see the keys' bias: its gradient is rounding, which a small epsilon would blow up to full steps.
    return language_model(model, optax.adam(0.01, eps=1e-3), axis=axis, **options)


def experts(axis: str | None) -> Algorithm:
    return predict_next(GPT(5, 8, 1, 2, 8, feedforward=functools.partial(Experts, 2, axis=axis)), axis)


def carried(axis: str | None) -> Algorithm:
    return truncated_bptt(TokenModel(5, 8, Recurrents(lstm, (8,))), optax.adam(0.01), axis=axis)


def translate(axis: str | None) -> Algorithm:
    return translation(EncoderDecoder(5, 1, 2, 8), optax.adam(0.01, eps=1e-3), axis=axis)


def preferences(step: int) -> dict[str, np.ndarray]:
    """Of each two texts that which goes on upwards is chosen."""
    chosen = texts(step)["token"]
    mask = (np.arange(8)[None] >= 4 + np.arange(16)[:, None] % 3).astype("f")
    rejected = np.concatenate([chosen[:, :5], chosen[:, 4:3:-1], chosen[:, 3:0:-1]], 1)
    masks = {"chosen_mask": mask, "rejected_mask": mask}
    return {"chosen": chosen, "rejected": rejected, **masks, "mask": np.linspace(0.5, 1, 16, dtype="f")}


def prompts(step: int) -> dict[str, np.ndarray]:
    return {"prompt": texts(step)["token"][:, :3]}


def worthy(axis: str | None) -> Algorithm:
    return reward_model(GPT(5, 9, 1, 2, 8, num_values=1), optax.adam(0.01, eps=1e-3), axis=axis)


def directly(axis: str | None) -> Algorithm:
    return dpo(GPT(5, 9, 1, 2, 8), optax.adam(0.01, eps=1e-3), beta=0.5, axis=axis)


def pleased(axis: str | None) -> Algorithm:
    """Rewarded for each 1 that it says."""
    of = {"reward": lambda _, said: (said.answers(3) == 1).mean(1), "num_tokens": 3, "end": 0, "beta": 0.01}
    return rlhf(GPT(5, 6, 1, 2, 8, num_values=1), optax.adam(0.01, eps=1e-3), **of, axis=axis)


def translate_by_lstm(axis: str | None) -> Algorithm:
    return translation(AdditiveTranslator(5, 8), optax.adam(0.01), axis=axis)


READER = text_network("transformer", 6, 2, width=4, features=4, num_layers=1, num_heads=2)


def tells_classes(axis: str | None) -> Algorithm:
    return text_classifier(READER, optax.adam(0.03, eps=1e-3), axis=axis)


def tells_words(axis: str | None) -> Algorithm:
    return masked_language_model(READER, optax.adam(0.03, eps=1e-3), vocab_size=5, hidden=5, axis=axis)


def tells_words_first(axis: str | None) -> Algorithm:
    """Phases so short that three steps see all of them."""
    adam = {"learning_rate": 0.03, "weight_decay": 0.0}
    return text_learner(READER, adam=adam, folds=(0, 1), num_steps=7, first=1, axis=axis)


def seen(key, image):
    return image / 128 - 1


def describe(axis: str | None) -> Algorithm:
    model = Captioner(PictureTokens((8,), (4,)), EncoderDecoder(5, 0, 2, 8, num_decoder_layers=1))
    return captioning(model, optax.adam(0.01, eps=1e-3), prepare=seen, axis=axis)


def answer(axis: str | None) -> Algorithm:
    model = PictureGPT(PictureTokens((8,), (4,)), GPT(5, 12, 1, 2, 8))
    return captioning(model, optax.adam(0.01, eps=1e-3), prepare=seen, axis=axis)


def case(model: nn.Module, batch=texts, **options) -> Case:
    return Case(functools.partial(predict_next, model, **options), batch, "loss")


CASES = {
    "captioning": Case(describe, pictured, "loss"),
    "captioning, picture first": Case(answer, pictured, "loss"),
    "language_model": case(GPT(5, 8, 1, 2, 8)),
    "language_model, microbatches": case(GPT(5, 8, 1, 2, 8), microbatches=2),
    "language_model, weights": case(TokenModel(5, 8, TCN((8,))), answers),
    "language_model, experts": Case(experts, texts, "loss"),
    "language_model, lstm": case(TokenModel(5, 8, Recurrents(lstm, (8,)))),
    "language_model, linear recurrence": case(TokenModel(5, 8, Layers(functools.partial(LRU, 8), 1))),
    "language_model, selective": case(TokenModel(5, 8, Layers(functools.partial(Mamba, 2), 1))),
    "language_model, convolutions": case(TokenModel(5, 8, TCN((8,)))),
    "truncated_bptt": Case(carried, texts, "loss"),
    "reward_model": Case(worthy, preferences, "loss"),
    "dpo": Case(directly, preferences, "loss"),
    "rlhf": Case(pleased, prompts, "reward", is_deterministic=False, rises=True),
    "translation": Case(translate, reversed_texts, "loss"),
    "translation, lstm": Case(translate_by_lstm, reversed_texts, "loss"),
    "text_classifier": Case(tells_classes, classified, "loss"),
    "masked_language_model": Case(tells_words, classified, "loss", is_deterministic=False),
    "text_learner": Case(tells_words_first, classified, "loss", is_deterministic=False),
}
