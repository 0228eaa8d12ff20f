"""`python -m experiments` lists the experiments, `python -m experiments verify NAME...` measures their claims again."""

import experiments
from adl.run.verify import main

if __name__ == "__main__":
    main(experiments)
