"""One file a benchmark: `contenders()` prepares the same work for each, and checks that their results agree."""

from collections.abc import Callable

# name -> a function that runs the contender once and says its milliseconds a unit; the first is the reference
Contenders = dict[str, Callable[[], float]]
