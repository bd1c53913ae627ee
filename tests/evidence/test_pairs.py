"""A map over two numbers of a winner: names, contours against closed forms, scores against `mo.score`, the command."""

from pathlib import Path

import numpy as np
import pytest

import momentum_opt as mo
from momentum_opt.api.pairing import pair_of
from momentum_opt.cli.app import main
from momentum_opt.errors import UsageError
from momentum_opt.evidence.pairs import BEYOND, pair_keys
from momentum_opt.results.report.content import run_content
from momentum_opt.results.report.figures_pair import contour_lines
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.study.space import search_space
from tests.results.report.pages import outline
from tests.sample_runs import SAMPLE, TOKENS, copy_of, smoke, tuned


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's run. Not to be changed."""
    return tuned(tmp_path_factory.getbasetemp())[1]


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (("k_SYNA", "memory_SYNB"), ("log_k_SYNA", "logit_lamb_SYNB")),
        (("k_per_day_SYNB", "lamb_SYNB"), ("log_k_SYNB", "logit_lamb_SYNB")),
        (("memory_days_SYNUSD", "log_k_SYNUSD"), ("logit_lamb_SYNUSD", "log_k_SYNUSD")),
    ],
)
def test_numbers_go_by_several_names(names: tuple[str, str], keys: tuple[str, str]):
    assert pair_keys(names, search_space(smoke())) == keys


def test_one_number_for_all_goes_by_any_token():
    space = search_space(smoke("search.parameters.log_k.scalar=true"))
    assert pair_keys(("k", "memory_SYNA"), space) == ("log_k", "logit_lamb_SYNA")
    assert pair_keys(("k_SYNB", "memory_SYNA"), space) == ("log_k", "logit_lamb_SYNA")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("k_SYNX", "memory_SYNA"), r"k_SYNX is no number of this search; did you mean log_k_SYN"),
        (("k_SYNA", "log_k_SYNA"), r"k_SYNA and log_k_SYNA are the same number; name two different ones"),
        (("speed", "k_SYNA"), r"speed is no number of this search"),
    ],
)
def test_others_are_refused(names: tuple[str, str], message: str):
    with pytest.raises(UsageError, match=message):
        pair_keys(names, search_space(smoke()))


def test_contours_of_a_plane_are_straight_and_whole():
    x, y = np.linspace(0.0, 1.0, 9), np.linspace(0.0, 2.0, 17)
    pieces = np.array(contour_lines(x, y, x + y[:, None], 0.77))
    for ends in (pieces[:, :2], pieces[:, 2:]):
        np.testing.assert_allclose(ends.sum(axis=1), 0.77, atol=1e-12)
    length = np.hypot(pieces[:, 0] - pieces[:, 2], pieces[:, 1] - pieces[:, 3]).sum()
    assert length == pytest.approx(0.77 * np.sqrt(2.0), rel=1e-9)


def test_contours_of_a_cone_are_circles():
    x = np.linspace(-1.0, 1.0, 81)
    pieces = np.array(contour_lines(x, x, np.hypot(x, x[:, None]), 0.6))
    np.testing.assert_allclose(np.hypot(pieces[:, 0], pieces[:, 1]), 0.6, atol=1e-3)
    length = np.hypot(pieces[:, 0] - pieces[:, 2], pieces[:, 1] - pieces[:, 3]).sum()
    assert length == pytest.approx(2.0 * np.pi * 0.6, rel=1e-3)


@pytest.mark.parametrize("turned", [1.0, -1.0])
@pytest.mark.parametrize("shift", [0.2, -0.2])
def test_a_saddle_is_cut_so_that_its_middle_is_on_the_right_side(turned: float, shift: float):
    x = np.array([0.0, 1.0])
    heights = turned * np.array([[1.0, -1.0], [-1.0, 1.0]]) + shift  # the middle is above the level where shift is
    pieces = contour_lines(x, x, heights, 0.0)
    assert len(pieces) == 2
    for piece in pieces:
        # the corner that a piece cuts off lies on the other side than the middle
        middle = np.array([(piece[0] + piece[2]) / 2.0, (piece[1] + piece[3]) / 2.0])
        column, row = np.rint(middle).astype(int)
        assert np.sign(heights[row, column]) == -np.sign(shift)


def test_a_corner_that_is_not_known_leaves_its_cells_out():
    x = np.arange(3.0)
    heights = np.add.outer(x, x)
    whole = contour_lines(x, x, heights, 1.5)
    heights[0, 0] = np.nan
    assert len(contour_lines(x, x, heights, 1.5)) == len(whole) - 1


def test_the_map_is_what_the_scores_say(folder: Path):
    content = run_content(RunFolder(folder))
    found = pair_of(content, folder / "best.json", ("k_SYNA", "memory_SYNB"))
    best = content.document
    assert found.winner == pytest.approx(best["objective"]["value"], rel=1e-9)
    across, up = found.across, found.up
    assert (across.winner, up.winner) == pytest.approx(
        (best["readable"]["k_per_day"]["SYNA"], best["readable"]["memory_days"]["SYNB"]), rel=1e-9
    )
    assert across.values[0] < across.low < across.high < across.values[-1]
    inside = np.log2(across.high) - np.log2(across.low)
    assert np.log2(across.low) - np.log2(across.values[0]) == pytest.approx(BEYOND * inside, rel=1e-6)
    assert (np.diff(across.values) > 0).all()
    assert (np.diff(up.values) > 0).all()
    assert across.winner in across.values
    cells = [(0, 0), (len(up.values) - 1, len(across.values) - 1), (len(up.values) // 2, len(across.values) // 3)]
    readable = best["readable"]
    sets = [
        {
            "k_per_day": {**readable["k_per_day"], "SYNA": float(across.values[column])},
            "memory_days": {**readable["memory_days"], "SYNB": float(up.values[row])},
        }
        for row, column in cells
    ]
    market = mo.market_of(content.fingerprint, root=SAMPLE)
    expected = [one["objectives"][0] for one in mo.score(content.fingerprint, market, sets)]
    assert [found.objective[cell] for cell in cells] == pytest.approx(expected, rel=1e-6)
    assert [one.side.key for one in found.slices] == [
        f"{name}_{token}" for name in ("log_k", "logit_lamb") for token in TOKENS
    ]
    (own,) = [one for one in found.slices if one.side.key == "log_k_SYNA"]
    assert own.objective[own.side.values.tolist().index(across.winner)] == pytest.approx(found.winner, rel=1e-9)


def test_the_command_draws_it(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = copy_of(folder, tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["report", str(run), "--pair", "k_SYNA", "memory_SYNB"])
    assert ended.value.code == 0, capsys.readouterr().err
    text = outline((run / "report.html").read_text()).text
    assert "Objective over k per day, SYNA and memory, SYNB" in text
    assert {"pair.svg", "pair.png", "slices.svg"} <= {path.name for path in (run / "figures").iterdir()}
    before = (run / "report.html").read_bytes()
    for words, message in (
        (("--pair", "k_SYNA", "k_SYNA"), "are the same number"),
        (("--data", str(SAMPLE)), "--data: prices are read for --pair alone"),
        (("--pair", "k_SYNA", "k_SYNB", "--data", str(tmp_path / "nowhere")), "nowhere"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["report", str(run), *words])
        assert ended.value.code == 2
        assert message in capsys.readouterr().err
    assert (run / "report.html").read_bytes() == before
