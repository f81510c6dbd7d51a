"""Which examples are shown, and in which order."""

from __future__ import annotations

import torch

from kdrun.explorer.choosing import ASKED, DIFFER, EACH, HOW_MANY, SURE, UNSURE, choose


def _logits(number: int, classes: int = 4) -> torch.Tensor:
    return 3 * torch.randn(number, classes, generator=torch.Generator().manual_seed(1))


def test_those_where_the_networks_differ_most_come_first() -> None:
    teacher = _logits(200)
    baseline, student = teacher.clone(), teacher.clone()
    baseline[17], student[23] = -50 * teacher[17], 0 * teacher[23]  # turned round; made uncertain
    chosen = choose({"teacher": teacher, "baseline": baseline, "student": student}, torch.arange(200) % 4)
    assert [(one.row, one.why) for one in chosen[:2]] == [(17, DIFFER), (23, DIFFER)]


def test_each_group_is_ordered_full_and_without_repeats() -> None:
    teacher, student = _logits(400, 10), _logits(400, 10).flip(0)
    labels = torch.arange(400) % 10
    chosen = choose({"teacher": teacher, "student": student}, labels)
    by_group = {why: [one.row for one in chosen if one.why == why] for why in HOW_MANY}
    assert len({one.row for one in chosen}) == len(chosen)
    assert [len(by_group[why]) for why in (DIFFER, UNSURE, SURE)] == [24, 12, 12]
    top = teacher.softmax(1).amax(1)
    assert top[by_group[UNSURE]].tolist() == sorted(top[by_group[UNSURE]].tolist())
    assert top[by_group[SURE]].tolist() == sorted(top[by_group[SURE]].tolist(), reverse=True)
    assert top[by_group[SURE]].min() > top[by_group[UNSURE]].max()


def test_every_class_is_there() -> None:
    labels = torch.arange(300) % 60
    chosen = choose({"teacher": _logits(300, 60)}, labels)
    assert {int(labels[one.row]) for one in chosen} == set(range(60))


def test_a_teacher_alone_begins_where_it_is_least_certain() -> None:
    teacher = _logits(50)
    chosen = choose({"teacher": teacher}, torch.arange(50) % 4)
    assert chosen[0].why == UNSURE
    assert chosen[0].row == int(teacher.softmax(1).amax(1).argmin())


def test_the_one_asked_for_is_opened_and_not_shown_twice() -> None:
    plain = choose({"teacher": _logits(50)}, torch.arange(50) % 4)
    asked = choose({"teacher": _logits(50)}, torch.arange(50) % 4, asked=plain[3].row)
    assert asked[0] == (plain[3].row, ASKED)
    assert [one.row for one in asked].count(plain[3].row) == 1


def test_a_handful_of_examples_is_shown_whole() -> None:
    chosen = choose({"teacher": _logits(5), "student": -_logits(5)}, torch.arange(5) % 4)
    assert sorted(one.row for one in chosen) == [0, 1, 2, 3, 4]
    assert {one.why for one in chosen} == {DIFFER}
    assert EACH not in {one.why for one in chosen}
