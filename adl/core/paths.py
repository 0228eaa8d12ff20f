"""Paths that a person wrote."""

import re
from pathlib import Path

from adl.core.errors import BadInput


def local_path(text: str, flag: str, *, under: str = "bucket") -> Path:
    """A path that a person wrote, `~` expanded.

    Args:
      text: the path.
      flag: that it was given with, for the message.
      under: how a path into a mounted bucket begins.
    Raises:
      BadInput: for an address, the home of nobody, and what is not UTF-8.
    """
    if address := re.match(r"(\w[\w+.-]*)://([^/]*)/*", text):
        how = "choose a folder"
        if address[1] == "gs":
            rest = text[address.end() :]
            how = (
                f"mount the bucket with gcsfuse (tpu_scripts/README.md: run.sh --bucket {address[2] or 'BUCKET'}) and "
                f"give {flag} {under}/{rest}"
            )
        raise BadInput(f"{flag} {text}: files are read and written in folders, not at {address[1]}://; {how}")
    try:
        text.encode()
        return Path(text).expanduser()
    except UnicodeEncodeError:
        raise BadInput(f"{flag} {text!r}: its name is not UTF-8; choose another") from None
    except RuntimeError:
        raise BadInput(f"{flag} {text}: there is no such user; write ./{text} for a folder of that name") from None
