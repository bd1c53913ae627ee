"""Several objectives (SPEC §11): rows of them in, the Pareto front and its named picks out.

All objectives are maximised. Distances are taken after min–max scaling over the front, so that the ideal point, the
best of every objective, is (1, 1, …); an objective in which the whole front agrees counts for nothing.
"""

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Rows = NDArray[np.int64]


def pareto_rows(objectives: Values) -> Rows:
    """The rows that no other row beats in one objective without falling behind in another; equal rows stay together.

    Args:
        objectives: (row, objective), finite.

    Points are visited from the largest first objective down, so that only a visited one can beat a new one. Of up to
    three objectives time grows as n log n; of more, as n times the size of the front.
    """
    if not len(objectives):
        return np.zeros(0, np.int64)
    points, place_of_row = np.unique(objectives, axis=0, return_inverse=True)
    missing = 3 - points.shape[1]
    on_front = _unbeaten(points) if missing < 0 else _unbeaten_of_three(np.pad(points, ((0, 0), (0, missing))))
    return np.flatnonzero(on_front[place_of_row.reshape(-1)])


def _unbeaten(points: Values) -> NDArray[np.bool_]:
    """Whether each of different points, in ascending order, is on their front."""
    front: list[int] = []
    for place in range(len(points) - 1, -1, -1):
        if not (points[front] >= points[place]).all(axis=1).any():
            front.append(place)
    return np.isin(np.arange(len(points)), front)


def _unbeaten_of_three(points: Values) -> NDArray[np.bool_]:
    """The same of three objectives.

    A visited point beats a new one where the staircase of the best third objective over the second stands as high.
    """
    on_front = np.zeros(len(points), bool)
    seconds: list[float] = []  # ascending; the thirds that belong to them fall
    thirds: list[float] = []
    for place in range(len(points) - 1, -1, -1):
        _, second, third = points[place].tolist()
        at = bisect_left(seconds, second)
        if at < len(seconds) and thirds[at] >= third:
            continue
        on_front[place] = True
        end = at + (at < len(seconds) and seconds[at] == second)
        while at > 0 and thirds[at - 1] <= third:
            at -= 1
        seconds[at:end], thirds[at:end] = [second], [third]
    return on_front


def balanced_row(front: Values) -> int:
    """The row of a front that is closest to the ideal; the earliest among equals."""
    return int(balanced_order(front)[0])


def balanced_order(front: Values) -> Rows:
    """All rows of a front, from the closest to the ideal outwards."""
    return np.argsort(np.linalg.norm(1.0 - _scaled(front), axis=1), kind="stable")


def knee_row(front: Values) -> int:
    """The row that stands out most towards the ideal from the plane through the front's extremes.

    The extremes are the rows that are best in one objective each. Where they coincide the plane becomes a line or a
    point, and the distance is taken along the direction from it to the ideal.
    """
    scaled = _scaled(front)
    extremes = scaled[np.argmax(scaled, axis=0)]
    spans, sizes, _ = np.linalg.svd((extremes[1:] - extremes[0]).T)
    beside = spans[:, np.count_nonzero(sizes > 1e-9) :]  # directions in which no extreme differs from another
    height = (scaled - extremes[0]) @ beside
    ideal = (1.0 - extremes[0]) @ beside
    return int(np.argmax(height @ ideal))


def _scaled(front: Values) -> Values:
    low, high = front.min(axis=0), front.max(axis=0)
    return np.where(high > low, (front - low) / np.where(high > low, high - low, 1.0), 1.0)
