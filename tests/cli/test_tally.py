"""The standing of a plan, and the time left, on a clock that the tests turn."""

from __future__ import annotations

import pytest
from carrying import plan

from kdrun.cli.tally import Length, Standing, Tally
from kdrun.runs.spec import RunSpec
from kdrun.training.learner import Position

RESULT = {"test_accuracy": 0.9, "train_seconds": 1.0}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _tally(clock: Clock, specs: list[RunSpec], before: int = 0) -> Tally:
    """Runs of 10 epochs of 5 steps."""
    return Tally(dict.fromkeys(specs, Length(10, 5)), before, clock)


def _told(tally: Tally, specs: list[RunSpec], epoch: int) -> None:
    tally.epoch({spec: {"epoch": epoch} for spec in specs})


def test_runs_are_counted_with_those_of_earlier_commands(clock: Clock) -> None:
    teacher, *students = plan("tau=1,8", "controls=[]")
    tally = _tally(clock, [teacher, *students], before=6)
    assert (tally.total, tally.standing) == (10, Standing(6, 0, 0, 4, 0.0, None))
    tally.started([teacher], 10, Position(0, 0))
    _told(tally, [teacher], 10)
    tally.finished(teacher, RESULT)
    tally.started(students[:2], 10, Position(4, 0))
    tally.failed(students[0], "lost")
    standing = tally.standing
    assert (standing.done, standing.failed, standing.running, standing.left) == (7, 1, 1, 1)
    assert standing.share == pytest.approx((50 + 50 + 20 + 0) / 200)


def test_nothing_is_said_of_the_time_before_anything_was_measured(clock: Clock) -> None:
    (teacher, *_) = plan()
    tally = _tally(clock, [teacher])
    tally.started([teacher], 10, Position(0, 0))
    assert tally.seconds_left() is None


def test_the_time_left_is_that_of_the_steps_left_and_runs_down(clock: Clock) -> None:
    (teacher, *_) = plan()
    tally = _tally(clock, [teacher])
    tally.started([teacher], 10, Position(0, 0))
    clock.now += 10
    _told(tally, [teacher], 2)  # 10 steps in 10 s; 40 are left
    assert tally.seconds_left() == pytest.approx(40)
    clock.now += 15
    assert tally.seconds_left() == pytest.approx(25)
    clock.now += 100
    assert tally.seconds_left() == 0


def test_a_run_that_goes_on_is_measured_by_the_steps_it_takes_now(clock: Clock) -> None:
    (teacher, *_) = plan()
    tally = _tally(clock, [teacher])
    tally.started([teacher], 10, Position(7, 3))
    clock.now += 4
    _told(tally, [teacher], 8)  # 2 steps in 4 s; 10 are left
    assert tally.seconds_left() == pytest.approx(20)


def test_runs_side_by_side_share_their_time_and_each_end_is_counted(clock: Clock) -> None:
    students = plan("tau=1,8", "controls=[]")[1:]
    tally = _tally(clock, students)
    tally.started(students, 10, Position(0, 0))
    clock.now += 3
    _told(tally, students, 1)
    assert tally.seconds_left() == pytest.approx(27)
    for epoch in range(2, 11):
        clock.now += 3
        _told(tally, students, epoch)
    assert tally.seconds_left() == pytest.approx(0)
    clock.now += 2
    tally.finished(students[0], RESULT)
    assert tally.seconds_left() == pytest.approx(4)  # two more ends like this one


def test_each_kind_of_run_has_its_own_pace_and_one_not_yet_measured_that_of_its_network(clock: Clock) -> None:
    teacher, baseline, student = plan("controls=[]", "student=mlp64")
    tally = _tally(clock, [teacher, baseline, student])
    tally.started([teacher], 10, Position(0, 0))
    clock.now += 5
    _told(tally, [teacher], 1)  # 5 s an epoch, and the others are taken to be as quick
    assert tally.seconds_left() == pytest.approx(45 + 50 + 50)
    clock.now += 45
    _told(tally, [teacher], 10)
    tally.finished(teacher, RESULT)
    tally.started([baseline], 10, Position(0, 0))
    clock.now += 1
    _told(tally, [baseline], 1)
    assert tally.seconds_left() == pytest.approx(9 + 10)


def test_groups_at_once_share_what_waits_but_each_takes_its_own_time(clock: Clock) -> None:
    students = plan("tau=range(1,8)", "controls=[]")[1:5]
    tally = _tally(clock, students)
    for spec in students[:2]:
        tally.started([spec], 10, Position(0, 0))
    clock.now += 2
    for spec in students[:2]:
        _told(tally, [spec], 1)
    assert tally.seconds_left() == pytest.approx((18 + 18 + 20 + 20) / 2)
    tally.finished(students[0], RESULT)
    for spec in students[2:]:
        tally.failed(spec, "lost")
    assert tally.seconds_left() == pytest.approx(18)


def test_time_spent_on_asking_a_teacher_beforehand_is_none_of_the_steps(clock: Clock) -> None:
    (teacher, *_) = plan()
    tally = _tally(clock, [teacher])
    tally.started([teacher], 10, Position(0, 0))
    clock.now += 60
    tally.filling(10, 10)
    clock.now += 1
    _told(tally, [teacher], 1)
    assert tally.seconds_left() == pytest.approx(9)


def test_where_one_of_a_group_begins_again_the_others_wait_for_their_turn(clock: Clock) -> None:
    students = plan("tau=1,8", "controls=[]")[1:]
    tally = _tally(clock, students)
    tally.started(students, 10, Position(0, 0))
    tally.started(students[:1], 10, Position(0, 0))
    assert (tally.standing.running, tally.standing.left) == (1, 2)


def test_an_attempt_that_ended_early_counts_no_step_twice_and_is_no_group_of_its_own(clock: Clock) -> None:
    _, *students = plan("tau=1,8", "controls=[]")
    tally = _tally(clock, students)
    tally.started(students, 10, Position(0, 0))
    clock.now += 8
    _told(tally, students, 2)
    before = tally.standing
    tally.started(students[:2], 10, Position(2, 0))
    assert (before.running, tally.standing.running, tally.standing.left) == (3, 2, 1)
    assert tally.standing.share == before.share
    assert tally.seconds_left() == pytest.approx(32)  # as one group after the other
