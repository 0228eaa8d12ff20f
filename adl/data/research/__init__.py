"""Named research sets, prepared from the files that their authors publish: `python -m adl.data prepare`.

One builder a set, each with the names of its files, where they come from, under what licence, how it is cut, and the
sum by which its examples are known.
"""

from collections.abc import Mapping

from adl.data.research.builder import ResearchSet
from adl.data.research.images import FreyFaces, Isbi2012, Mnist, NotMnist
from adl.data.research.photographs import Bccd, CatsDogs64, Lsp400
from adl.data.research.tables import (
    Cora,
    GtzanFeatures,
    UciBoston,
    UciConcrete,
    UciEnergy,
    UciKin8nm,
    UciPower,
    UciWine,
    UciYacht,
)
from adl.data.research.texts import (
    FreeSpokenDigit,
    JsbChorales,
    JsbChoralesSatb,
    Multi30kDeEn,
    RtPolarity,
    TinyShakespeare,
)

_BUILDERS = (
    *(Mnist, NotMnist, FreyFaces, CatsDogs64, Isbi2012, Bccd, Lsp400),
    *(TinyShakespeare, Multi30kDeEn, RtPolarity, JsbChorales, JsbChoralesSatb, FreeSpokenDigit),
    *(UciBoston, UciConcrete, UciEnergy, UciKin8nm, UciPower, UciWine, UciYacht, GtzanFeatures, Cora),
)
SETS: Mapping[str, type[ResearchSet]] = {builder.name: builder for builder in _BUILDERS}
# Sets that others publish of what is not published as such.
DERIVED: Mapping[str, str] = {
    "molecules_tm_tb": (
        "its graphs were made with RDKit of a join of many tables (github.com/CalebBell/chemicals), which is not "
        "published as files of its own; copy a folder molecules_tm_tb that was prepared before into the --data_dir"
    )
}
