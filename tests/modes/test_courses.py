"""Courses of alpha and tau over the epochs."""

from __future__ import annotations

import pytest

from kdrun.modes.courses import Cosine, Linear


@pytest.mark.parametrize(
    ("course", "values"),
    [
        (Linear(0.0, 0.8, 5), [0.0, 0.2, 0.4, 0.6, 0.8]),
        (Linear(9.0, 1.0, 3), [9.0, 5.0, 1.0]),
        (Cosine(0.0, 1.0, 5), [0.0, 0.1464466, 0.5, 0.8535534, 1.0]),  # (1 - cos(k pi / 4)) / 2
        (Cosine(8.0, 4.0, 3), [8.0, 6.0, 4.0]),
    ],
)
def test_it_goes_from_its_start_to_its_end(course: Linear | Cosine, values: list[float]) -> None:
    assert [course.at(epoch) for epoch in range(course.epochs)] == pytest.approx(values)


@pytest.mark.parametrize("kind", [Linear, Cosine])
def test_the_first_and_the_last_epoch_have_start_and_end_exactly(kind: type[Linear | Cosine]) -> None:
    course = kind(0.1, 0.7, 66)
    assert (course.at(0), course.at(65)) == (0.1, 0.7)


@pytest.mark.parametrize("kind", [Linear, Cosine])
def test_one_epoch_alone_has_the_end(kind: type[Linear | Cosine]) -> None:
    assert kind(0.1, 0.7, 1).at(0) == 0.7
