"""What is read, and what of it is compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.difference.building import QUEUE, of, stack, write
from infra.difference.stacks import compare, compare_folders
from infra.difference.templates import DifferenceError
from infra.template import Template


def test_what_the_cdk_writes_for_itself_is_no_change() -> None:
    """Where a construct is in the code, which asset has its files, and its own statistics."""

    def template(mark: str) -> Template:
        metadata = {"aws:cdk:path": mark, "aws:asset:path": f"asset.{mark}"}
        return stack(
            {"Conditions": {"CDKMetadataAvailable": {"Fn::Equals": [mark, mark]}}},
            Queue=of(QUEUE, {"Metadata": metadata}),
            CDKMetadata=of("AWS::CDK::Metadata", Analytics=mark),
        )

    assert [] == compare(template("a"), template("b"))


def test_the_stacks_of_a_stage_are_compared_and_assets_are_not(tmp_path: Path) -> None:
    """An asset's files are what a stack deploys."""
    for folder, name in (("old", "one"), ("new", "other")):
        for place in ("assembly-Prod", "asset.0a1b"):
            write(tmp_path / folder / place, orders=stack(Queue=of(QUEUE, QueueName=name)))
    assert ["assembly-Prod/orders"] == list(compare_folders(tmp_path / "old", tmp_path / "new"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "has no *.template.json: name a folder that cdk synth wrote"),
        ("{", "cannot be read (Expecting property name"),
        ("\udcff", "cannot be read ('utf-8' codec"),
        ("[]", "is no template, it has no Resources"),
        ('{"name": "a package"}', "is no template, it has no Resources"),
        ('{"Resources": []}', "is no template, its Resources are no object"),
        ('{"Resources": {"It": "a"}}', "is no template, It of its Resources is no object"),
        ('{"Resources": {"It": {}}}', "is no template, its resource It has no Type"),
        ('{"Resources": {"It": {"Type": "A::B::C", "Properties": 1}}}', "or no object of Properties"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(text: str | None, problem: str, tmp_path: Path) -> None:
    """That says what is wrong, where, and what to do."""
    old, new = write(tmp_path / "old", orders=stack()), write(tmp_path / "new")
    if text is not None:
        (new / "orders.template.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DifferenceError) as refusal:
        compare_folders(old, new)
    said = str(refusal.value)
    assert (True, True, 1) == (problem in said, str(new) in said, len(said.splitlines()))


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """The first time nothing is released."""
    with pytest.raises(DifferenceError, match=r"there is no folder .*old: name one that cdk synth wrote"):
        compare_folders(tmp_path / "old", write(tmp_path, orders=stack()))
