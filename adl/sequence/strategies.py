"""The usual ways to make texts of a model, by name: by search, or by chance."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax
from jax.tree_util import Partial

from adl import data
from adl.core import Key, Mean, Probe, PyTree
from adl.measure.texts import beside_people
from adl.sequence.beam import beam_search
from adl.sequence.decode import Choose, drawn, generate, greedy, nucleus, reading, temperature, top_k
from adl.sequence.language import surprise_after

Way = Callable[[Key, PyTree, Array], Array]  # (key, variables, prompt [B, P]) -> texts [B, N]

# What figures call them; of the others their own names, with spaces.
LABELS = {"text": "what people wrote", "beam": "beams", "pure": "drawn", "speculative": "with drafts"}


class OnePath(NamedTuple):
    """A way that picks token after token."""

    model: nn.Module  # called with `cache`
    num_tokens: int
    choose: Choose

    def __call__(self, key: Key, variables: PyTree, prompt: Array) -> Array:
        """`[B, N]` texts after prompts `[B, P]`."""
        cache = self.model.empty_cache(len(prompt), prompt.shape[1] + self.num_tokens)
        read = reading(self.model, variables)
        return generate(key, read, cache, prompt, self.num_tokens, choose=self.choose).token


def label(name: str) -> str:
    """What figures call a way."""
    return LABELS.get(name, name.replace("_", " "))


def strategies(
    model: nn.Module, num_tokens: int, *, temperatures: Sequence[float], k: int, p: float, num_beams: int
) -> dict[str, Way]:
    """Texts of N tokens: `greedy`; the best `beam`; drawn at `temperature_T`, `pure`, from `top_k` or the `nucleus`.

    Args:
      model: called with `cache`, as `GPT` and `TokenModel` are.
      num_tokens: N >= 1.
      temperatures: each > 0.
      k: as in `top_k`.
      p: as in `nucleus`.
      num_beams: >= 1.
    """

    def one_path(choose: Choose) -> Way:
        return OnePath(model, num_tokens, choose)

    def beams(key: Key, variables: PyTree, prompt: Array) -> Array:
        cache = model.empty_cache(len(prompt), prompt.shape[1] + num_tokens)
        return beam_search(reading(model, variables), cache, prompt, num_tokens, num_beams=num_beams).token[:, 0]

    return {
        "greedy": one_path(greedy),
        "beam": beams,
        **{f"temperature_{t:g}": one_path(drawn(temperature(t))) for t in temperatures},
        "pure": one_path(drawn()),
        "top_k": one_path(drawn(top_k(k))),
        "nucleus": one_path(drawn(nucleus(p))),
    }


def by_all(ways: Mapping[str, Way], key: Key, variables: PyTree, prompt: Array) -> dict[str, Array]:
    """Texts `[B, N]` of each way, by its name; those of one path, of one model and length, are one program.

    Args:
      ways: from `strategies`.
      key: consumed; each way has its own of it.
      variables: of the model.
      prompt: `[B, P]`.
    Raises:
      ValueError: if those of one path are not of one model and length.
    """
    keys = dict(zip(ways, jax.random.split(key, len(ways)), strict=True))
    paths = {name: way for name, way in ways.items() if isinstance(way, OnePath)}
    found = {name: way(keys[name], variables, prompt) for name, way in ways.items() if name not in paths}
    if paths:
        chooses = [way.choose for way in paths.values()]
        first, like = next(iter(paths.items()))
        for name, way in paths.items():
            if way[:2] != like[:2]:
                raise ValueError(f"{name} and {first} must be ways of one model, and of as many tokens")

        def made(one: tuple[Key, Array]) -> Array:
            key, number = one
            way = like._replace(choose=lambda *of: lax.switch(number, chooses, *of))
            return way(key, variables, prompt)

        of_paths = jnp.stack([keys[name] for name in paths]), jnp.arange(len(paths))
        found |= dict(zip(paths, lax.map(made, of_paths), strict=True))
    return {name: found[name] for name in ways}


def before_and_after(
    model: nn.Module, held: data.text.Continued, before: PyTree = None, *, choose: Choose = greedy
) -> Probe:
    """Probe: how a learner goes on with prompts, and how it did before it was tuned.

    Args:
      model: called with `cache`, as `GPT` is.
      held: M prompts, and how people went on, with N tokens.
      before: the parameters that it started from; None: they are not looked at.
      choose: picks each next token.
    Returns:
      A probe of texts `[M, N]`: people's `made_text`, `made_after`, and perhaps `made_before`.
    """
    num_tokens = held.text.shape[1]

    def probe(held, before, key, state):
        def made(variables: PyTree) -> Array:
            cache = model.empty_cache(len(held.prompt), held.prompt.shape[1] + num_tokens - 1)
            return generate(key, reading(model, variables), cache, held.prompt, num_tokens, choose=choose).token

        earlier = {} if before is None else {"made_before": made({"params": before})}
        return {"made_text": held.text, "made_after": made(state.variables), **earlier}

    return Partial(probe, held, before)


def compared(
    models: Mapping[str, nn.Module], ways: Mapping[str, Way], held: data.text.Continued, *, by: str = "model"
) -> Probe:
    """Probe: what each way makes of prompts, and how it compares with what people wrote, the way "text".

    Args:
      models: that learn beside each other, by name: one that makes the texts, and one that judges them, too.
      ways: of the first.
      held: M prompts, and how people went on.
      by: the name of the model that makes them.
    Returns:
      For each way `measure.texts.beside_people`, in nats of the model itself; `NAME_judged`, the other model's
      surprise; and the texts `made_NAME` `[M, N]`.
    """
    (other,) = set(models) - {by}

    def probe(held, key, state):
        variables = {name: state[name].variables for name in models}
        texts = {"text": held.text} | by_all(ways, key, variables[by], held.prompt)

        def surprise(judge: str) -> dict[str, Array]:
            asked = functools.partial(surprise_after, models[judge], variables[judge], held.prompt)
            return dict(zip(texts, lax.map(asked, jnp.stack([*texts.values()])), strict=True))

        return {
            **beside_people(texts, surprise(by)),
            **{f"{name}_judged": Mean.of(nats) for name, nats in surprise(other).items()},
            **{f"made_{name}": text for name, text in texts.items()},
        }

    return Partial(probe, held)
