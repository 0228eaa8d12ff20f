"""Music as notes: pieces in four voices that a grammar of chords makes, and the reading of any set of pieces.

`grammar` writes the bundled set `part_songs`; `reading` makes arrays of it and of sets with the same columns.
"""

from adl.data.music.reading import ROOM, Songs, as_notes, pieces_of

__all__ = ["ROOM", "Songs", "as_notes", "pieces_of"]
