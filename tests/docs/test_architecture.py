"""The architecture page: its map is the import graph, its names are in the code, modules are as long as it says."""

import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise

import grimp
import pytest

from docs.pictures.rooms import ROOMS, arrows, layers
from tests.sample_runs import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "momentum_opt"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 450
"""Lines of a module."""


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Room → the rooms and the libraries that its modules import, as the import rules count them."""
    graph = grimp.build_graph("momentum_opt", include_external_packages=True, exclude_type_checking_imports=True)
    found: dict[str, set[str]] = {name: set() for name in ROOMS}
    for module in graph.modules:
        if _room(module) in ROOMS:
            found[_room(module)] |= {_room(one) for one in graph.find_modules_directly_imported_by(module)}
    return {name: others - {name} for name, others in found.items()}


def _room(module: str) -> str:
    """The room of a module of the package; a library by its own name."""
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "momentum_opt" else first


def _below(name: str) -> Iterator[str]:
    """Rooms to which there is a way along the arrows; some more than once."""
    for other in ROOMS[name].to:
        yield other
        yield from _below(other)


def test_every_import_between_rooms_is_a_way_along_arrows(imports: dict[str, set[str]]):
    for name, others in imports.items():
        assert others & set(ROOMS) <= set(_below(name)), name


def test_every_arrow_is_an_import_that_no_other_way_stands_for(imports: dict[str, set[str]]):
    for name, room in ROOMS.items():
        assert set(room.to) <= imports[name], name
        for other in room.to:
            assert all(other not in set(_below(beside)) for beside in room.to), (name, other)


def test_a_room_imports_the_libraries_in_its_box(imports: dict[str, set[str]]):
    for name, room in ROOMS.items():
        assert set(room.libraries) <= imports[name], name


def test_every_room_has_a_box_in_its_row():
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert set(ROOMS) == packages | {"device"}
    rows = layers()
    assert set(ROOMS) <= {name for row in rows for name in row}
    for row in rows:
        boxes = sorted((ROOMS[name].left, ROOMS[name].right) for name in row if name in ROOMS)
        assert all(one[1] < other[0] for one, other in pairwise(boxes)), row


def test_no_arrow_runs_through_a_box():
    place = {name: number for number, row in enumerate(layers()) for name in row}
    for name, other, x in arrows():
        between = [one for one in ROOMS if place[name] < place[one] < place[other]]
        assert all(not ROOMS[one].left - 1 < x < ROOMS[one].right + 1 for one in between), (name, other)
        assert all(ROOMS[end].left < x < ROOMS[end].right for end in (name, other)), (name, other)


def test_the_picture_is_that_of_the_map():
    drawn = set(re.findall(r"<!-- (.+?) -->", (ROOT / "docs" / "pictures" / "rooms.svg").read_text(encoding="utf-8")))
    texts = {text for name, room in ROOMS.items() for text in (name, room.purpose, ", ".join(room.libraries))} - {""}
    ground = ", ".join(name for row in layers() for name in row if name not in ROOMS)
    assert drawn == {*texts, "for all", ground}


def test_every_contract_is_on_the_page():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = [contract["name"] for contract in pyproject["tool"]["importlinter"]["contracts"]]
    assert [name for name in names if f"- **{name}**: " not in PAGE] == []


def test_every_room_and_module_for_all_is_on_the_page():
    in_order = [name for row in layers() for name in row]
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [name for name in in_order if name in ROOMS]
    assert [name for name in in_order if name not in ROOMS and f"`{name}.py`" not in PAGE] == []


def test_files_and_names_on_the_page_are_there():
    words = set(re.findall(r"`([^`\n]+)`", PAGE))
    files = {word for word in words if word.endswith(".py")} - {"api.py"}
    missing = [name for name in files if not (list(PACKAGE.glob(name)) or (ROOT / name).exists())]
    assert missing == []
    names = {word for word in words if re.fullmatch(r"[A-Z]\w+[a-z]\w*|[a-z]+(_[a-z]+)+", word)}
    assert len(names) > 40
    code = "\n".join(path.read_text(encoding="utf-8") for path in MODULES)
    assert [name for name in names if not re.search(rf"(class|def) {name}\b|\"{name}\"|^{name} = ", code, re.M)] == []


def test_what_stands_behind_a_file_is_in_it():
    pairs = re.findall(r"`([\w/]+\.py)`: `(\w+)`", PAGE)
    assert len(pairs) > 10
    texts = {file: (PACKAGE / file).read_text(encoding="utf-8") for file, _ in pairs}
    assert [pair for pair in pairs if not re.search(rf"(class|def) {pair[1]}\b", texts[pair[0]])] == []


def test_no_module_is_longer_than_the_page_says():
    assert f"refuses more than {LONGEST}" in PAGE
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert [path for path, length in lengths.items() if length > LONGEST] == []
