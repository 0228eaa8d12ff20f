"""A trained model as a file for others: its weights as safetensors, and a card that says what they are.

The folder has `model.safetensors`, whose header holds the card's facts as JSON under "adl", and `card.md`, the same for
people: experiment and configuration, the data that was loaded with its digest, what the run measured at that step and
which claims that is, and the versions. `--init_from` begins with such a folder.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from adl.core import BadInput, local_path
from adl.run import folder as files
from adl.run.claim import bound
from adl.run.config import FREE
from adl.run.experiment import Definition
from adl.run.record import read_rows, versions
from adl.run.trained import Trained
from adl.run.weights import CARD, WEIGHTS, tensors


def export(trained: Trained, to: str, *, overwrite: bool = False) -> Path:
    """Writes the weights and their card into a folder.

    Args:
      trained: of which run and step.
      to: the folder; empty: `export/` within the run's.
      overwrite: files of an export before.
    Raises:
      BadInput: if it holds files that may not be overwritten, or cannot be written.
    """
    from safetensors.numpy import save

    home = local_path(to, "--to") if to else trained.folder / "export"
    if home.exists() and not home.is_dir():
        raise BadInput(f"--to {home}: it is a file; choose a folder")
    if (there := [name for name in (WEIGHTS, CARD) if (home / name).exists()]) and not overwrite:
        raise BadInput(f"--to {home}: it has {' and '.join(there)} already; choose another, or add --overwrite")
    kept = {name: np.asarray(leaf, order="C") for name, leaf in sorted(tensors(trained.state).items())}
    told = facts(trained, kept)
    header = {"format": "pt", "num_axes": str(trained.program.num_axes), "adl": json.dumps(told, sort_keys=True)}
    try:
        home.mkdir(parents=True, exist_ok=True)
        files.write(home / WEIGHTS, _bytes(save(kept, header)))
        files.write(home / CARD, card(told))
    except OSError as error:
        raise BadInput(f"--to {home}: {error.strerror or error}; choose a folder that can be written") from None
    return home


def _bytes(content: bytes) -> Callable[[Any], Any]:
    return lambda file: file.write(content)


def facts(trained: Trained, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What the card says, as JSON has it.

    Args:
      trained: of which run and step.
      kept: the tensors of the file.
    """
    config, definition = trained.config, trained.program.definition
    read = files.data_digests(trained.program.sources)
    rows = [row for row in read_rows(trained.folder / "metrics.jsonl") if row["step"] == trained.step]
    measured = {name: value for row in rows for name, value in row.items() if name != "step"}
    return {
        "experiment": trained.name,
        "about": definition.text.strip().partition("\n")[0],
        "step": trained.step,
        "num_steps": config.num_steps,
        "configuration": json.loads(json.dumps(dataclasses.asdict(config))),
        "data": {"dataset": config.dataset, "sha256": loaded_digest([trained.program.loaded, read])},
        "offers": sorted(trained.offers),
        "tensors": {name: [str(leaf.dtype), list(leaf.shape)] for name, leaf in kept.items()},
        "runs": [{"seeds": list(range(config.seed, config.seed + config.num_seeds)), "sweep": list(config.sweep)}],
        "measured": measured,
        "claims": _claims(trained, measured),
        "written": written_beside(trained),
        "versions": versions(),
    }


def written_beside(trained: Trained) -> list[str]:
    """What the run wrote for other programs at its end, such as a folder that `transformers` loads; none before."""
    if trained.step != trained.config.num_steps:
        return []
    return [str(trained.folder / name) for name in trained.experiment.writes if (trained.folder / name).exists()]


def _claims(trained: Trained, measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Claims of the experiment that are about this very run, at its end, with what it measured."""
    definition: Definition = trained.program.definition
    if trained.step != trained.config.num_steps:
        return []
    found = []
    for claim in definition.claims:
        wanted = dataclasses.replace(definition.config(), **claim.overrides)
        same = all(
            getattr(wanted, field.name) == getattr(trained.config, field.name)
            for field in dataclasses.fields(wanted)
            if field.name not in FREE or field.name == "num_steps"
        )
        if same and claim.metric in measured:
            value = claim.value(np.ravel(np.array(measured[claim.metric], float)))
            entry = {"claim": bound(claim), "protocol": claim.protocol, "reference": claim.reference}
            found.append({**entry, "value": value, "holds": claim.holds(value)})
    return found


def loaded_digest(loaded: Any) -> str:
    """sha256 of all that an experiment loaded: of arrays in memory the numbers, of what stays on disk what it is."""
    found = hashlib.sha256()

    def add(value: Any) -> None:
        if hasattr(value, "source") and hasattr(value, "info"):  # a split on disk
            told = (getattr(value.info, "full_name", ""), len(value), value.names)
            found.update(repr(told).encode())
        elif hasattr(value, "arrays"):
            add(dict(value.arrays))
        elif isinstance(value, Mapping):
            for name in sorted(value):
                found.update(str(name).encode())
                add(value[name])
        elif isinstance(value, list | tuple):
            found.update(str(len(value)).encode())
            for one in value:
                add(one)
        elif isinstance(value, np.ndarray | jax.Array):
            array = np.asarray(value)
            found.update(f"{array.dtype} {array.shape}".encode())
            found.update(repr(array.tolist()).encode() if array.dtype == object else np.ascontiguousarray(array).data)
        elif isinstance(value, str | int | float | None):
            found.update(repr(value).encode())

    add(loaded)
    return found.hexdigest()


def card(told: Mapping[str, Any]) -> str:
    """The facts as Markdown."""
    size = sum(int(np.prod(shape)) for _, shape in told["tensors"].values())
    has_average = any(name.startswith("averaged/") or "/averaged/" in name for name in told["tensors"])
    average = "`averaged/...` is the moving average of `params/...`, and is what predicts." if has_average else ""
    lines = [
        f"# {told['experiment']}, after {told['step']:,} of {told['num_steps']:,} steps",
        "",
        told["about"],
        "",
        f"`{WEIGHTS}`: {len(told['tensors'])} tensors, {size:,} numbers. {average}".rstrip(),
        "",
        f"Data: {told['data']['dataset'] or 'made by the experiment'}; sha256 of what was loaded "
        f"`{told['data']['sha256']}`.",
        f"Seeds: {', '.join(map(str, told['runs'][0]['seeds']))}."
        + (f" Sweep: {' '.join(told['runs'][0]['sweep'])}." if told["runs"][0]["sweep"] else ""),
        "",
        "## Measured by this run at this step",
        "",
    ]
    lines += [f"- {name}: {_spelled(value)}" for name, value in sorted(told["measured"].items())] or ["- nothing"]
    lines += ["", "## Claims that are about this very run", ""]
    lines += [
        f"- {claim['claim']}: {claim['value']:.4g}, {'holds' if claim['holds'] else 'DOES NOT HOLD'}. "
        f"{claim['protocol']}. Reference: {claim['reference']}"
        for claim in told["claims"]
    ] or ["- none: its configuration or its step is that of no claim"]
    begin = f'--init_from {{this folder}}, or `safetensors.numpy.load_file("{WEIGHTS}")`'
    lines += ["", "## Use", "", f"{begin}. The run offers: {', '.join(told['offers']) or 'nothing'}.", ""]
    lines += [f"For other programs the run (of several, its first) has written `{p}`.\n" for p in told["written"]]
    lines += ["## Configuration", "", "```json", json.dumps(told["configuration"], indent=1), "```", ""]
    lines += ["## Versions", "", ", ".join(f"{name} {version}" for name, version in told["versions"].items()), ""]
    return "\n".join(lines)


def _spelled(value: Any) -> str:
    flat = [np.nan if one is None else float(one) for one in np.ravel(np.array(value, dtype=object))]
    shown = ", ".join(f"{one:.6g}" for one in flat[:10])
    return shown + (f" and {len(flat) - 10} more" if len(flat) > 10 else "")
