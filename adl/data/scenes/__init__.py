"""Rendered scenes in which everything is known: which thing is where, what it hides, how far it is, where its joints
are.

`layout` draws a camera, the light, a room and things in it; `render` makes of them a picture and its labels; `drawn`
puts things together into a `scene`, a `single` thing or a `clip`, each from one key. How much pictures differ is a
`Variation`, of seven strengths. `told` makes scenes that a caption tells in full. `sets` are data sets with fixed
seeds, by name: `scenes/standard`, `scenes/clips`, `scenes/single`, `scenes/cats`, `scenes/told`.

    hidden = functools.partial(scenes.single, variation=scenes.Variation(occlusion=1.0))
    hundred = scenes.rendered(hidden, seed=0, num=100)
"""

from adl.data.scenes.drawn import WAYS, clip, rendered, scene, single
from adl.data.scenes.figure import JOINTS
from adl.data.scenes.layout import STANDARD, Variation
from adl.data.scenes.shapes import CLASSES
from adl.data.scenes.varied import STRENGTHS, Varied, every_strength

__all__ = [
    "CLASSES",
    "JOINTS",
    "STANDARD",
    "STRENGTHS",
    "WAYS",
    "Variation",
    "Varied",
    "clip",
    "every_strength",
    "rendered",
    "scene",
    "single",
]
