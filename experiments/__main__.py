"""`python -m experiments` lists the experiments; `verify NAME...` measures claims again, `plan` compiles for a TPU.

`export WORKDIR` writes what a run has learned, `use WORKDIR ...` asks it about files of a person's own,
`play WORKDIR` plays against it, and `chat WORKDIR` talks to it.
"""

import experiments
from adl.run.catalogue import main

if __name__ == "__main__":
    main(experiments)
