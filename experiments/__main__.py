"""`python -m experiments` lists the experiments; `verify NAME...` measures claims again, `plan` compiles for a TPU."""

import experiments
from adl.run.catalogue import main

if __name__ == "__main__":
    main(experiments)
