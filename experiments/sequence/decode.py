"""Quality and speed of a language model's texts by how they are decoded, beside the text that people wrote.

A GPT of nanoGPT's size for a CPU reads 32 characters of held-out source text and goes on with 96, greedily, by beams,
drawn as it is, colder, from the k likeliest, from the nucleus, or with a smaller GPT that drafts. The `surprise` is the
model's own, in nats a character, and `judged` that of another network; `repeated` is the share of the 8-grams of a
text that it has had before. Holtzman et al. 2020, arXiv:1904.09751, table 1, find that the likeliest texts repeat
themselves and surprise far less than what people write, while texts of the nucleus do not. Speculative decoding:
Leviathan et al. 2023, arXiv:2211.17192, whose eq. 1 says how many tokens a pass of the large model gives.

    python -m experiments.sequence.decode
    python -m experiments.sequence.decode --num_beams 16 --nucleus 0.8 --num_drafted 8

Expected: nats a character 1.74 of people's text, 0.49 greedily, 0.25 by beams, 1.37 of the nucleus, 1.62 as drawn; of
the 8-grams 10 %, 82 %, 90 %, 12 % and 8 % are repeated. A pass gives 2.97 characters where eq. 1 says 3.00; on a CPU, a
text of this small model is nonetheless slower with drafts. About five minutes on two idle cores.
"""

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array
from matplotlib.figure import Figure

from adl import data, run, show
from adl.core import BadInput, Key, Mean, PyTree, beside
from adl.data.tokens import Tokens
from adl.nn.transformer import GPT
from adl.sequence.beam import beam_search
from adl.sequence.decode import drawn, generate, nucleus, reading, temperature, top_k
from adl.sequence.language import language_model, whole_text
from adl.sequence.speculative import speculative
from experiments.sequence.language import AT_ONCE, TYPED, drawable, optimizer

GRAM = 8  # characters
SHOWN = ("text", "greedy", "beam", "pure", "top_k", "nucleus")  # whose texts are drawn
SIDE_BY_SIDE = (1, 16)  # texts that are timed


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "python_library"  # TFDS name, with "text"
    train_split: str = "train"  # of TFDS
    test_split: str = "validation+test"  # of TFDS
    num_steps: run.Count = 900
    batch_size: run.Count = 12  # pieces a step
    eval_every: run.Count = 500
    num_layers: run.Count = 4  # of the model
    num_heads: run.Count = 4
    width: run.Count = 128  # of the model
    judge_layers: run.Count = 2  # of the network that judges, as wide as the model
    draft_layers: run.Count = 1  # of the network that drafts
    draft_width: run.Count = 64
    prompt_length: run.Count = 32  # characters
    num_new: run.Count = 96  # characters that each text goes on with; pieces are as long as both
    num_prompts: run.Count = 128  # at equal distances in the held-out text
    learning_rate: run.Positive = 3e-3  # at its height, after 100 steps; a cosine takes it to a tenth
    weight_decay: run.NonNegative = 0.1  # of matrices, times the learning rate
    temperatures: tuple[float, ...] = (0.5, 0.8)  # each > 0, of texts that are drawn
    top_k: run.Count = 10  # characters
    nucleus: run.Rate = 0.95  # probability
    num_beams: run.Count = 4
    num_drafted: run.Count = 4  # characters of a draft
    timed: tuple[str, ...] = ("greedy", "beam", "pure", "top_k", "nucleus", "speculative")  # whose speed is measured
    num_timed: run.Natural = 2  # times that each is, of which the fastest counts; 0: none


PROTOCOL = "python_library (of Python 3.11.7): 128 prompts of 32 held-out characters, 96 more of each; one seed; "
CLAIMS = (
    *(
        run.Claim(
            metric=f"decoded/{name}_gap",
            at_most=0.0,
            protocol=f"{PROTOCOL}surprise of the text by {name}, less that of the text itself, nats a character",
            reference="Holtzman et al. 2020, table 1: the likeliest texts surprise less than people's",
        )
        for name in ("greedy", "beam")
    ),
    *(
        run.Claim(
            metric=f"decoded/{name}_repeated_more",
            at_least=0.0,
            protocol=f"{PROTOCOL}share of 8-grams that a text has had before, by {name} less in the text itself",
            reference="Holtzman et al. 2020, table 1: the likeliest texts repeat themselves more than people's",
        )
        for name in ("greedy", "beam")
    ),
    run.Claim(
        metric="decoded/nucleus_nearer",
        at_least=0.0,
        protocol=f"{PROTOCOL}distance of surprise from that of the text itself: the lesser of greedy and beams, less "
        "that of the nucleus",
        reference="Holtzman et al. 2020, table 1: the nucleus comes nearest to people's perplexity",
    ),
    run.Claim(
        metric="decoded/beam_over_greedy",
        at_least=0.0,
        protocol=f"{PROTOCOL}log-probability of texts by 4 beams, less that of the greedy ones, nats a character",
        reference="what the search is for",
    ),
    run.Claim(
        metric="decoded/speculative_z",
        at_most=4.0,
        protocol=f"{PROTOCOL}surprise of texts with drafts, less that of texts without, in standard errors",
        reference="Leviathan et al. 2023, appendix A.1: one distribution; a normal |z| is above 4 once in 16,000 runs",
    ),
    run.Claim(
        metric="decoded/speculative_ratio",
        at_least=0.9,
        at_most=1.1,
        protocol=f"{PROTOCOL}characters a pass of the model with 4 drafted, over (1 - alpha^5) / (1 - alpha), alpha "
        "the mean of sum_x min(p(x), q(x)) along texts that the model drew",
        reference="Leviathan et al. 2023, eq. 1 and corollary 3.6, where acceptance is i.i.d.",
    ),
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 8, "width": 16, "num_layers": 1, "judge_layers": 1, "num_heads": 2},
    **{"draft_width": 8, "prompt_length": 6, "num_new": 10, "num_prompts": 4, "temperatures": (0.5,), "num_beams": 2},
    **{"timed": ("pure",), "num_timed": 1, "train_split": "train[:4]", "test_split": "test[:1]"},
}


class Held(NamedTuple):
    """Held-out texts that are gone on with."""

    prompt: np.ndarray  # [M, P]
    text: np.ndarray  # [M, N] what people went on with


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """Three language models that learn side by side, and what the first makes up."""
    for name in cfg.timed:
        if name not in (known := strategies(cfg, {})):
            raise BadInput(f"--timed {name}: there are {', '.join(known)}")
    corpora = [data.text.corpus(cfg.dataset, split, cfg.data_dir) for split in (cfg.train_split, cfg.test_split)]
    tokens = data.tokens.characters(corpora[0])
    train, test = (tokens.encode(corpus) for corpus in corpora)
    length, models = cfg.prompt_length + cfg.num_new, networks(cfg, len(tokens.vocabulary))
    places = np.linspace(0, len(test) - length, cfg.num_prompts).astype(int)
    texts = test[places[:, None] + np.arange(length)]
    held = Held(texts[:, : cfg.prompt_length], texts[:, cfg.prompt_length :])
    windows = data.padded(data.text.windows(test, length, start=tokens.start), max(AT_ONCE // length, 1))

    def reader(name: str, state: PyTree) -> tuple[Callable, tuple]:
        return lambda token, carry: (models[name].apply(state[name].variables, token), carry), ()

    probes = {name: whole_text(functools.partial(reader, name), windows) for name in models}
    final = {
        "judge": probes["judge"],
        "draft": probes["draft"],
        "decoded": functools.partial(decoded, cfg=cfg, models=models, held=held),
        "learned": lambda key, state: {
            f"{name}_{i}": leaf for name in models for i, leaf in enumerate(jax.tree.leaves(state[name].params))
        },
    }
    figures = {
        "loss": loss_figure,
        "quality": functools.partial(quality_figure, cfg=cfg),
        "texts": functools.partial(texts_figure, cfg=cfg, tokens=tokens, held=held),
        **({"speed": functools.partial(speed_figure, cfg=cfg, models=models, held=held)} if cfg.num_timed else {}),
    }
    return run.Experiment(
        beside({name: language_model(model, optimizer(cfg), axis=axis) for name, model in models.items()}),
        data.text.random_pieces(train, cfg.batch_size, length),
        probes={"test": probes["model"]},
        final=final,
        figures=show.figures(**figures),
    )


def networks(cfg: Config, vocab_size: int) -> dict[str, nn.Module]:
    """The model, what judges and what drafts."""
    gpt = functools.partial(GPT, vocab_size, cfg.prompt_length + cfg.num_new, dtype=jnp.dtype(cfg.precision))
    return {
        "model": gpt(cfg.num_layers, cfg.num_heads, cfg.width),
        "judge": gpt(cfg.judge_layers, cfg.num_heads, cfg.width),
        "draft": gpt(cfg.draft_layers, cfg.num_heads, cfg.draft_width),
    }


def strategies(cfg: Config, models: Mapping[str, nn.Module]) -> dict[str, Callable]:
    """`decode(key, variables, prompt [B, P])` by name: texts of N tokens a row."""
    room, num_new = cfg.prompt_length + cfg.num_new, cfg.num_new

    def begun(name: str, variables: Mapping[str, PyTree], size: int) -> tuple[Callable, PyTree]:
        return reading(models[name], variables[name]), models[name].empty_cache(size, room)

    def one_path(**choose) -> Callable:
        return lambda key, variables, prompt: generate(
            key, *begun("model", variables, len(prompt)), prompt, num_new, **choose
        )

    def beams(key, variables, prompt):
        return beam_search(*begun("model", variables, len(prompt)), prompt, num_new, num_beams=cfg.num_beams)

    def drafted(key, variables, prompt):
        large, small = (begun(name, variables, len(prompt)) for name in ("model", "draft"))
        return speculative(key, *large, *small, prompt, num_new, num_drafted=cfg.num_drafted)

    return {
        "greedy": one_path(),
        "beam": beams,
        **{f"temperature_{t:g}": one_path(choose=drawn(temperature(t))) for t in cfg.temperatures},
        "pure": one_path(choose=drawn()),
        "top_k": one_path(choose=drawn(top_k(cfg.top_k))),
        "nucleus": one_path(choose=drawn(nucleus(cfg.nucleus))),
        "speculative": drafted,
    }


def decoded(key: Key, state: PyTree, *, cfg: Config, models: Mapping[str, nn.Module], held: Held) -> dict[str, PyTree]:
    """What each strategy makes of the prompts, and how it compares with what people wrote."""
    variables, prompt = {name: state[name].variables for name in models}, jnp.asarray(held.prompt)
    decoders = strategies(cfg, models)
    made = {
        name: decode(own, variables, prompt)
        for own, (name, decode) in zip(jax.random.split(key, len(decoders)), decoders.items(), strict=True)
    }
    texts = {"text": jnp.asarray(held.text)}
    texts |= {name: of.token[:, 0] if name == "beam" else of.token for name, of in made.items()}

    def log_prob(name: str, text: Array) -> Array:
        """`[M, N, V]` of each character of the texts, given what is before it."""
        whole = jnp.concatenate([prompt, text], 1)[:, :-1]
        return jax.nn.log_softmax(models[name].apply(variables[name], whole)[:, cfg.prompt_length - 1 :])

    def surprise(name: str, text: Array) -> Array:
        """`[M]` nats a character."""
        return -jnp.take_along_axis(log_prob(name, text), text[..., None], -1)[..., 0].mean(1)

    nats = {name: surprise("model", text) for name, text in texts.items()}
    repeats = {name: jax.vmap(repeated)(text) for name, text in texts.items()}
    found: dict[str, PyTree] = {}
    for name, text in texts.items():
        found |= {f"{name}_surprise": Mean.of(nats[name]), f"{name}_judged": Mean.of(surprise("judge", text))}
        found |= {f"{name}_repeated": Mean.of(repeats[name]), f"{name}_gap": Mean.of(nats[name] - nats["text"])}
        found[f"{name}_repeated_more"] = Mean.of(repeats[name] - repeats["text"])
    distance = {name: jnp.abs((nats[name] - nats["text"]).mean()) for name in texts}
    found["nucleus_nearer"] = Mean.of(jnp.minimum(distance["greedy"], distance["beam"]) - distance["nucleus"])
    found["beam_over_greedy"] = Mean.of(nats["greedy"] - nats["beam"])

    difference, told = nats["speculative"] - nats["pure"], made["speculative"]
    found["speculative_z"] = Mean.of(jnp.abs(difference.mean()) / (difference.std() / len(difference) ** 0.5))
    p, q = (jnp.exp(log_prob(name, texts["pure"])) for name in ("model", "draft"))
    alpha = jnp.minimum(p, q).sum(-1).mean()
    expected = (1 - alpha ** (cfg.num_drafted + 1)) / (1 - alpha)
    passes = told.num_passes.sum().astype(jnp.float32)
    a_pass = Mean(passes + told.num_accepted.sum(), passes)
    found |= {"speculative_alpha": Mean.of(alpha), "speculative_expected": Mean.of(expected)}
    found |= {"speculative_a_pass": a_pass, "speculative_ratio": Mean.of(a_pass.value / expected)}
    return {**found, **{f"made_{name}": text for name, text in texts.items()}}


def repeated(text: Array) -> Array:
    """`[]` share of the n-grams of `text` `[N]` that it has had before.

    Source: Welleck et al. 2020, arXiv:1908.04319, eq. 11, of the continuation alone.
    """
    grams = text[jnp.arange(len(text) - GRAM + 1)[:, None] + jnp.arange(GRAM)[None]]
    is_same = (grams[:, None] == grams[None]).all(-1)
    return jnp.tril(is_same, -1).any(1).mean()


LABELS = {"text": "what people wrote", "beam": "beams", "pure": "drawn", "top_k": "top k", "speculative": "with drafts"}


def label(name: str) -> str:
    """What figures call a strategy."""
    return LABELS.get(name, name.replace("_", " "))


def loss_figure(outcome: run.Outcome) -> Figure:
    """Surprise of the three networks at training pieces, and of the model at the held-out text."""
    curves = {"model": "train/model_loss", "judge": "train/judge_loss", "draft": "train/draft_loss"}
    title = "Surprise at the next character"
    return show.curves({**curves, "model, held-out": "test/loss"}, y_label="−log p (nats a character)", title=title)(
        outcome
    )


def quality_figure(outcome: run.Outcome, *, cfg: Config) -> Figure:
    """Strategies by surprise and repetition, for the model and for the judge."""
    names = ["text", *strategies(cfg, {})]
    figure, axes = show.panel(1, 2, size=(4.3, 3.6))
    for ax, (metric, title) in zip(
        axes[0], (("surprise", "the model itself"), ("judged", "another network")), strict=True
    ):
        for i, name in enumerate(names):
            x, y = outcome.last(f"decoded/{name}_{metric}"), outcome.last(f"decoded/{name}_repeated")
            star = name == "text"
            color = "k" if star else show.COLORS[i % 6]
            marks = {"marker": "*" if star else "os^"[i // 6], "markersize": 12 if star else 6}
            ax.plot(x, 100 * y, color=color, linestyle="none", label=label(name), **marks)
        ax.set(xlabel=f"surprise of {title} (nats a character)", title=f"Judged by {title}", yscale="symlog")
        ax.set_yticks([0, 1, 3, 10, 30, 100], ["0", "1", "3", "10", "30", "100"])
        ax.set_ylim(max(0, 80 * min(outcome.last(f"decoded/{name}_repeated") for name in names)), 110)
        ax.grid(linewidth=0.3)
    axes[0, 0].set_ylabel(f"{GRAM}-grams that the text has had before (%)")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside right center", fontsize=8, frameon=False)
    figure.suptitle(f"{cfg.num_new} characters by strategy, and what people wrote", fontsize=10)
    return figure


def texts_figure(outcome: run.Outcome, *, cfg: Config, tokens: Tokens, held: Held) -> Figure:
    """What three prompts became."""
    rows = [len(held.prompt) * i // 8 for i in (1, 4, 6)]
    figure, axes = show.panel(len(SHOWN) + 1, len(rows), size=(3.9, 0.8))
    for i, name in enumerate(("prompt", *SHOWN)):
        for ax, row in zip(axes[i], rows, strict=True):
            text = held.prompt[row] if name == "prompt" else outcome.arrays[f"decoded/made_{name}"][row]
            lines = tokens.decode(text).replace(" ", "·").replace("\n", "↵\n").split("\n")
            lines = [line[at : at + 48] for line in lines for at in range(0, max(len(line), 1), 48)]
            shown = "\n".join(map(drawable, lines[:5]))
            ax.text(0, 0.98, shown, fontsize=6.5, va="top", linespacing=1.3, transform=ax.transAxes, **TYPED)
            ax.set(xticks=[], yticks=[])
            for side in ("left", "bottom"):
                ax.spines[side].set_visible(False)
        axes[i, 0].set_ylabel(label(name), fontsize=8, rotation=0, ha="right", y=0.97, va="top")
    figure.suptitle("Three prompts, and how they go on; · a space, ↵ the end of a line", fontsize=10)
    return figure


def timed(cfg: Config, outcome: run.Outcome, models: Mapping[str, nn.Module], held: Held) -> dict[str, list[float]]:
    """Characters a second of each strategy, of one text and of several side by side; their programs take turns."""
    variables = {}
    for name, model in models.items():
        shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.asarray(held.prompt[:1]))
        leaves = [outcome.arrays[f"learned/{name}_{i}"] for i in range(len(jax.tree.leaves(shapes)))]
        variables[name] = jax.tree.unflatten(jax.tree.structure(shapes), map(jnp.asarray, leaves))
    decoders = strategies(cfg, models)
    programs = {name: jax.jit(decoders[name]) for name in cfg.timed}
    speed: dict[str, list[float]] = {name: [] for name in programs}
    for size in SIDE_BY_SIDE:
        prompt = jnp.asarray(np.resize(held.prompt, (size, cfg.prompt_length)))
        best = dict.fromkeys(programs, np.inf)
        for repeat in range(cfg.num_timed + 1):  # the first compiles
            for name, program in programs.items():
                started = time.perf_counter()
                jax.block_until_ready(program(jax.random.key(repeat), variables, prompt))
                if repeat:
                    best[name] = min(best[name], time.perf_counter() - started)
        for name, seconds in best.items():
            speed[name].append(size * cfg.num_new / seconds)
    return speed


def speed_figure(outcome: run.Outcome, *, cfg: Config, models: Mapping[str, nn.Module], held: Held) -> Figure:
    """Characters a second by strategy."""
    speed = timed(cfg, outcome, models, held)
    figure, axes = show.panel(1, len(SIDE_BY_SIDE), size=(3.4, 2.6))
    for i, (ax, size) in enumerate(zip(axes[0], SIDE_BY_SIDE, strict=True)):
        values = [speed[name][i] for name in cfg.timed]
        bars = ax.barh(range(len(cfg.timed)), values, color=show.COLORS[0], height=0.65)
        ax.bar_label(bars, [f"{value:,.0f}" for value in values], fontsize=7, padding=2)
        ax.set_yticks(range(len(cfg.timed)), [label(name) for name in cfg.timed] if not i else [])
        ax.invert_yaxis()
        ax.margins(x=0.18)
        ax.set(xlabel="characters a second", title="one text" if size == 1 else f"{size} texts side by side")
    a_pass = outcome.last("decoded/speculative_a_pass")
    figure.suptitle(
        f"Speed, prompts included; of {cfg.num_drafted} drafts a pass of the model takes {a_pass - 1:.2f}", fontsize=10
    )
    return figure


if __name__ == "__main__":
    run.main(__name__)
