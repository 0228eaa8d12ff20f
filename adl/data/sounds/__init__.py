"""Sounds that are made by rules: syllables that speakers of all sizes say, and pieces of music in seven styles.

`synthesis` makes waves, `syllables` and `styles` what they say and play; `sets` are data sets of them with fixed seeds,
by name: `sounds/syllables`, `sounds/styles`, and a small sample of each. `reading` makes arrays of any set of sounds.
"""

from adl.data.sounds.reading import SoundSplits, sounds_of

__all__ = ["SoundSplits", "sounds_of"]
