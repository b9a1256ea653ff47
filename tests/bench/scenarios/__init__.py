"""All scenarios, in the order of the table."""

from tests.bench.scenarios.base import Scenario
from tests.bench.scenarios.downloads import Download
from tests.bench.scenarios.folders import LargeFolders
from tests.bench.scenarios.listings import FinderListing, Listing, TreeAtOnce, Walk
from tests.bench.scenarios.memory import HugeFolder, Idle, ManyUploads
from tests.bench.scenarios.requests import SmallReads, Stats
from tests.bench.scenarios.saves import Saves
from tests.bench.scenarios.small import SmallFiles
from tests.bench.scenarios.trees import Trees
from tests.bench.scenarios.uploads import Upload
from tests.bench.sizes import Sizes

NAMES = (
    "listing",
    "finder-listing",
    "walk",
    "tree-at-once",
    "trees",
    "small",
    "saves",
    "download",
    "upload",
    "stats",
    "reads",
    "idle",
    "huge",
    "large-folders",
    "uploads",
)


def scenarios(sizes: Sizes) -> tuple[Scenario, ...]:
    made: tuple[Scenario, ...] = (
        Listing(sizes.entries),
        FinderListing(sizes.entries),
        Walk(sizes.folders, sizes.files),
        TreeAtOnce(sizes.folders, sizes.files),
        Trees(sizes.tree),
        SmallFiles(sizes.small),
        Saves(sizes.saves),
        Download(sizes.stream, sizes.ranges),
        Upload(sizes.stream),
        Stats(),
        SmallReads(),
        Idle(),
        HugeFolder(sizes.listed),
        LargeFolders(sizes.entries, sizes.listed),
        ManyUploads(sizes.uploads, sizes.upload),
    )
    assert tuple(each.name for each in made) == NAMES
    return made
