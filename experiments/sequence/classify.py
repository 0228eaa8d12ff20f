"""What a review means, by its words, its phrases, and its whole: with negation, irony, and a "but".

A bag of words, a CNN over windows of words (Kim 2014, arXiv:1408.5882), an LSTM both ways and a transformer learn side
by side of the same batches; naive Bayes on words and pairs of words stands beside them. The default's reviews are of a
grammar (`data.reviews`). `--dataset rt_polarity --folds 0 1 2` leaves out each fold in turn, of a learner of its own;
with `--pretrain_steps` the transformer tells hidden words first (BERT: Devlin et al. 2019, arXiv:1810.04805).

    python -m experiments.sequence.classify
    >>> probability = run.load("runs/sequence/classify").predict("nobody says that the film is dull")
    python -m experiments.sequence.classify --dataset ./reviews.csv --columns text=review,label=stars

Expected: not measured yet.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from adl import data, run, show
from adl.core import BadInput, beside, ensemble, optimizer
from adl.data.labelled_texts import LabelledTexts, labelled_texts
from adl.sequence import text_classifier as texts
from adl.sequence import text_judges as judges


@dataclass(frozen=True)
class Config(run.Parts, run.Optimised, run.Config):
    """The default is the run that the first claims are about."""

    dataset: str = "reviews"  # TFDS name, or path, with "text" and "label", and for --folds "fold"
    folds: tuple[int, ...] = ()  # that are left out and tested, each by learners of its own; none: --test_split is
    beyond: tuple[str, ...] = ("combinations", "longer")  # further splits of reviews, tested together
    models: tuple[texts.Kind, ...] = ("bag", "cnn", "lstm", "transformer")  # that learn side by side
    num_steps: run.Count = 1000
    batch_size: run.Split = 64  # texts a step
    eval_every: run.Count = 250
    vocab_size: run.Several = 10000  # words that are known, at most
    length: run.Natural = 0  # words of a text that are read; 0: all
    width: run.Count = 64  # of embeddings, and of the transformer
    features: run.Count = 64  # of each width of the CNN's windows, and each direction of the LSTM
    num_layers: run.Count = 2  # of the transformer
    num_heads: run.Count = 4  # of the transformer
    dropout: run.Rate = 0.1  # of embeddings, of what is told of a whole text, and in the transformer
    learning_rate: run.Positive = 2e-3  # at its height, after 100 steps; a cosine takes it to 0
    weight_decay: run.NonNegative = 0.01  # times the learning rate
    pretrain_steps: run.Natural = 0  # of num_steps, in which the transformer tells hidden words


CLAIMS = (run.Claim(metric="test/lstm_accuracy", at_least=0.9, protocol="reviews"),)
SMOKE = {"num_steps": 4, "batch_size": 8, "width": 8, "features": 4, "num_layers": 1, "num_heads": 2}
SMOKE |= {"models": ("bag", "transformer"), "pretrain_steps": 2}
SMOKE |= {"train_split": "train[:200]", "test_split": "test[:40]", "beyond": ("longer[:40]",)}


def load(cfg: Config) -> tuple[LabelledTexts, dict[str, np.ndarray]]:
    """Texts, and where counts of words are right about them."""
    how = {
        "beyond": cfg.beyond if cfg.dataset == Config.dataset else (),
        "vocab_size": cfg.vocab_size,
        "length": cfg.length,
        **cfg.source,
    }
    known = labelled_texts(cfg.dataset, folds=cfg.folds, parts=cfg.parts, **how)
    return known, {name: judges.counted(known, part) for name, part in known.tests.items()}


def build(cfg: Config, loaded: tuple[LabelledTexts, dict[str, np.ndarray]], axis: str | None) -> run.Experiment:
    """The networks side by side, and counts of words beside them."""
    known, counted = loaded
    if not 0 <= cfg.pretrain_steps <= max(cfg.num_steps - 2, 0):
        raise BadInput(f"--pretrain_steps {cfg.pretrain_steps}: at most --num_steps {cfg.num_steps} less 2")
    models = {kind: network(cfg, kind, known) for kind in cfg.models}
    last = cfg.models[-1]
    names = {kind: texts.NAMES[kind] for kind in models} | {"counts": "naive Bayes on pairs"}

    def probability(key, state, token):
        logits = jax.vmap(models[last].apply, (0, None))(judges.learner_of(state[last]).variables, token)
        return logits.mean(0)

    words = run.Text(known.tokens.encode, known.tokens.decode)
    pages = {"test": "Reviews like those in training", "beyond": "Beyond training"}
    by_kind = [
        show.marks(part.kinds, {told: f"{name}/{kind}_kinds" for kind, told in names.items()}, title=pages[name])
        for name, part in known.tests.items()
    ]
    judged = {name: judges.judged(models, part, counted[name]) for name, part in known.tests.items()}
    return run.Experiment(
        beside({kind: learns(cfg, kind, model, known, axis) for kind, model in models.items()}),
        data.shuffled(known.train, cfg.batch_size),
        probes={"test": judged.pop("test")},
        final=judged,
        offers={**models, "predict": run.Offer(probability, words, run.Choice(known.class_names))},
        figures=show.figures(
            learning=show.curves(
                {names[kind]: f"test/{kind}_accuracy" for kind in models},
                y_label="accuracy",
                title="Test reviews",
                references={"naive Bayes on words and pairs {:.1%}": "test/counts_accuracy"},
            ),
            **({"kinds": show.page(by_kind, x_label="accuracy", title="Accuracy by kind")} if by_kind[0] else {}),
        ),
    )


def network(cfg: Config, kind: texts.Kind, known: LabelledTexts) -> texts.TextClassifier:
    """Of one more word than there are: the one that hides others."""
    sizes = {name: getattr(cfg, name) for name in ("width", "features", "num_layers", "num_heads", "dropout")}
    vocab_size = len(known.tokens.vocabulary) + 1
    return texts.text_network(kind, vocab_size, len(known.class_names), **sizes, dtype=jnp.dtype(cfg.precision))


def learns(cfg: Config, kind: texts.Kind, model: texts.TextClassifier, known: LabelledTexts, axis: str | None):
    """A learner for each fold."""
    first = cfg.pretrain_steps if kind == "transformer" else 0
    without = functools.partial(ensemble, n=len(known.folds), own=functools.partial(data_without, known.folds))

    def adam(num_steps: int):
        return optimizer.adam(**cfg.adam, shape=optimizer.cosine(num_steps, warmup=100), clip=1.0)

    classes = without(texts.text_classifier(model, adam(cfg.num_steps - first), axis=axis))
    if not first:
        return classes
    hides = {"vocab_size": len(known.tokens.vocabulary), "hidden": len(known.tokens.vocabulary)}
    words = without(texts.masked_language_model(model, adam(first), **hides, axis=axis))
    return texts.pretrained(words, classes, num_steps=first, length=cfg.num_steps)


def data_without(folds, batch, member):
    """Of a batch what is in no fold that a learner leaves out."""
    return {**batch, "mask": batch["mask"] * (batch["fold"] != jnp.asarray(folds)[member])}


if __name__ == "__main__":
    run.main(__name__)
