from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cfnlint.data import AdditionalSpecs
from cfnlint.helpers import load_resource
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from infra import difference, difference_data
from infra.difference import Change, DifferenceError, What, compare, compare_folders

QUEUE, TOPIC, BUCKET = "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::S3::Bucket"
DATABASE, SUBNETS = "AWS::RDS::DBInstance", "AWS::RDS::DBSubnetGroup"
TASK, SERVICE, FUNCTION = "AWS::ECS::TaskDefinition", "AWS::ECS::Service", "AWS::Lambda::Function"
CACHE, KAFKA, TABLE = "AWS::ElastiCache::ReplicationGroup", "AWS::MSK::Cluster", "AWS::DynamoDB::Table"

NO_VALUE = {"Ref": "AWS::NoValue"}
IN_PROD = {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}


def stack(sections: dict[str, Any] | None = None, **resources: Any) -> dict[str, Any]:
    return {"Resources": resources} | (sections or {})


def of(resource_type: str, attributes: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    return {"Type": resource_type, "Properties": properties} | (attributes or {})


def only(old: Any, new: Any) -> Change:
    """The one change of a stack's only resource."""
    [change] = compare(stack(It=old), stack(It=new))
    return change


def becomes(resource_type: str, old: dict[str, Any], new: dict[str, Any]) -> What:
    return only(of(resource_type, **old), of(resource_type, **new)).what


def whats(changes: list[Change]) -> dict[str, What]:
    return {change.logical_id: change.what for change in changes}


def paths(change: Change) -> list[str]:
    return [each.path for each in change.properties]


def write(folder: Path, **templates: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, template in templates.items():
        (folder / f"{name}.template.json").write_text(json.dumps(template))
    return folder


@pytest.mark.parametrize(
    ("resource_type", "name", "old", "new", "what"),
    [
        (DATABASE, "Engine", "postgres", "mysql", What.REPLACED),
        (DATABASE, "Engine", "oracle-se1", "oracle-se2", What.MODIFIED),
        (DATABASE, "StorageEncrypted", False, True, What.REPLACED),
        (DATABASE, "AvailabilityZone", "eu-central-1a", "eu-central-1b", What.MAY_BE_REPLACED),
        (DATABASE, "AllocatedStorage", "20", "30", What.MODIFIED),
        (DATABASE, "EngineVersion", "16.3", "16.4", What.MODIFIED),
        (DATABASE, "BackupRetentionPeriod", 7, 14, What.MODIFIED),
        (DATABASE, "MultiAZ", False, True, What.MODIFIED),
        ("AWS::RDS::DBCluster", "Engine", "aurora", "aurora-mysql", What.MODIFIED),
        ("AWS::RDS::DBCluster", "Engine", "aurora-mysql", "aurora-postgresql", What.REPLACED),
        (QUEUE, "QueueName", "orders", "sales", What.REPLACED),
        (QUEUE, "FifoQueue", True, NO_VALUE, What.REPLACED),
        (QUEUE, "VisibilityTimeout", 30, 60, What.MODIFIED),
        (TOPIC, "TopicName", "orders", "sales", What.REPLACED),
        (BUCKET, "BucketName", "mercato-a", "mercato-b", What.REPLACED),
        (BUCKET, "VersioningConfiguration", {"Status": "Enabled"}, {"Status": "Suspended"}, What.MODIFIED),
        (CACHE, "AtRestEncryptionEnabled", False, True, What.REPLACED),
        (CACHE, "Port", 6379, 6380, What.REPLACED),
        (CACHE, "AuthToken", "one", "other", What.MAY_BE_REPLACED),
        (CACHE, "NumNodeGroups", 1, 2, What.MAY_BE_REPLACED),
        (CACHE, "CacheNodeType", "cache.t4g.micro", "cache.t4g.small", What.MODIFIED),
        (SERVICE, "Cluster", "one", "other", What.REPLACED),
        (SERVICE, "LaunchType", "EC2", "FARGATE", What.MAY_BE_REPLACED),
        (SERVICE, "DesiredCount", 1, 2, What.MODIFIED),
        (FUNCTION, "FunctionName", "one", "other", What.REPLACED),
        (FUNCTION, "Code", {"S3Key": "a.zip"}, {"S3Key": "b.zip"}, What.MODIFIED),
        (TABLE, "TableName", "one", "other", What.REPLACED),
        ("AWS::Logs::LogGroup", "LogGroupName", "/one", "/other", What.REPLACED),
        ("AWS::SecretsManager::Secret", "Name", "one", "other", What.REPLACED),
        ("AWS::KMS::Key", "Description", "one", "other", What.MODIFIED),
        ("AWS::ECR::Repository", "RepositoryName", "one", "other", What.REPLACED),
        ("AWS::Cognito::UserPool", "UserPoolName", "one", "other", What.MODIFIED),
    ],
)
def test_a_property_does_to_its_resource_what_aws_says(
    resource_type: str, name: str, old: Any, new: Any, what: What
) -> None:
    """As in the user guide's "Update requires", and in what handles RDS, which knows more than its schema."""
    assert what == becomes(resource_type, {name: old}, {name: new})


@pytest.mark.parametrize(("old", "new"), [({}, {"QueueName": "orders"}), ({"QueueName": "orders"}, {})])
def test_a_name_that_comes_or_goes_replaces_its_resource(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Without one CloudFormation makes one up."""
    change = only(of(QUEUE, **old), of(QUEUE, **new))
    assert (What.REPLACED, ["QueueName"]) == (change.what, paths(change))
    [name] = change.properties
    assert (old.get("QueueName"), new.get("QueueName")) == (name.old, name.new)


def test_a_stack_that_stays_changes_nothing() -> None:
    """And is not in the way of those that do."""
    assert [] == compare(stack(Queue=of(QUEUE)), stack(Queue=of(QUEUE)))


def test_what_aws_says_is_read_when_something_changes() -> None:
    """Importing cfn-lint takes longer than all the rest."""
    program = (
        "import sys; from infra.difference import compare;"
        "same = {'Resources': {'Queue': {'Type': 'AWS::SQS::Queue'}}};"
        "assert compare(same, same) == []; print('cfnlint' in sys.modules)"
    )
    root = Path(difference.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, check=True, text=True
    )
    assert "False" == done.stdout.strip()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"FifoQueue": True}, {"FifoQueue": "true"}),
        ({"DelaySeconds": 5}, {"DelaySeconds": "5"}),
        ({"QueueName": NO_VALUE}, {}),
        ({"KmsMasterKeyId": {"Fn::GetAtt": "Key.Arn"}}, {"KmsMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}),
    ],
)
def test_one_value_written_in_two_ways_is_no_change(old: dict[str, Any], new: dict[str, Any]) -> None:
    """CloudFormation takes one for the other."""
    assert [] == compare(stack(Queue=of(QUEUE, **old)), stack(Queue=of(QUEUE, **new)))


@pytest.mark.parametrize(
    "new",
    [
        {"Ref": "Name"},
        {"Fn::Sub": "orders-${Stage}"},
        {"Fn::ImportValue": "shared:Name"},
        "{{resolve:ssm:/orders/name}}",
    ],
)
def test_a_value_that_only_the_deployment_knows_may_be_another(new: Any) -> None:
    """It may as well be the one that was there."""
    assert What.MAY_BE_REPLACED == becomes(QUEUE, {"QueueName": "orders"}, {"QueueName": new})


def test_a_value_where_none_was_is_another_whatever_it_is() -> None:
    """But for a choice, which may be of none."""
    assert What.REPLACED == becomes(QUEUE, {}, {"QueueName": {"Ref": "Name"}})
    choice = {"Fn::If": ["InProd", "orders", NO_VALUE]}
    assert What.MAY_BE_REPLACED == becomes(QUEUE, {}, {"QueueName": choice})


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            {"BrokerNodeGroupInfo": {"InstanceType": "a"}},
            {"BrokerNodeGroupInfo": {"InstanceType": "b"}},
            What.MODIFIED,
        ),
        (
            {"BrokerNodeGroupInfo": {"ClientSubnets": ["a"]}},
            {"BrokerNodeGroupInfo": {"ClientSubnets": ["b"]}},
            What.REPLACED,
        ),
        ({}, {"EncryptionInfo": {"EncryptionAtRest": {"DataVolumeKMSKeyId": "key"}}}, What.REPLACED),
        ({}, {"EncryptionInfo": {"EncryptionInTransit": {"ClientBroker": "TLS"}}}, What.MODIFIED),
        ({}, {"EncryptionInfo": {"Fn::If": ["InProd", {"EncryptionAtRest": {}}, {}]}}, What.MAY_BE_REPLACED),
    ],
)
def test_what_is_create_only_within_an_object_is_looked_for_there(
    old: dict[str, Any], new: dict[str, Any], what: What
) -> None:
    """Whether it changes alone, comes with the object, or cannot be seen."""
    assert what == becomes(KAFKA, old, new)


def test_what_is_create_only_in_every_element_of_a_list_is_so_in_each() -> None:
    """That another element comes is up to the provider."""

    def replicator(*compressions: str) -> dict[str, Any]:
        return of(
            "AWS::MSK::Replicator",
            ReplicationInfoList=[{"TargetCompressionType": each} for each in compressions],
        )

    assert What.REPLACED == only(replicator("NONE", "GZIP"), replicator("NONE", "ZSTD")).what
    assert What.MAY_BE_REPLACED == only(replicator("NONE", "GZIP"), replicator("GZIP", "NONE")).what
    assert What.MAY_BE_REPLACED == only(replicator("NONE"), replicator("NONE", "ZSTD")).what


def test_the_type_of_a_key_may_replace_a_table_and_another_attribute_does_not() -> None:
    """Attributes are added with an index; that they change is what the schema does not say."""

    def table(**types: str) -> dict[str, Any]:
        attributes = [{"AttributeName": name, "AttributeType": each} for name, each in types.items()]
        return of(TABLE, AttributeDefinitions=attributes)

    assert What.MAY_BE_REPLACED == only(table(id="S"), table(id="N")).what
    assert What.MODIFIED == only(table(id="S"), table(id="S", at="N")).what


def test_elements_with_a_name_are_compared_by_it() -> None:
    """Wherever they stand: the first that comes does not change all the others."""
    old = [{"Key": "team", "Value": "shop"}, {"Key": "stage", "Value": "prod"}]
    new = [{"Key": "cost", "Value": "1"}, {"Key": "stage", "Value": "test"}, {"Key": "team", "Value": "shop"}]
    change = only(of(QUEUE, Tags=old), of(QUEUE, Tags=new))
    assert ["Tags[Key=stage].Value", "Tags[Key=cost]"] == paths(change)


def test_elements_without_a_name_are_compared_by_their_place() -> None:
    """Where one comes or goes, places say nothing, and the lists are shown."""

    def group(*subnets: str) -> dict[str, Any]:
        return of(SUBNETS, SubnetIds=list(subnets))

    assert ["SubnetIds[1]"] == paths(only(group("a", "b"), group("a", "c")))
    assert ["SubnetIds"] == paths(only(group("a", "b"), group("a")))
    twice = [{"Key": "team", "Value": "shop"}, {"Key": "team", "Value": "user"}]
    assert ["Tags[0].Value"] == paths(
        only(of(QUEUE, Tags=twice), of(QUEUE, Tags=[twice[0] | {"Value": "order"}, twice[1]]))
    )


def test_another_order_is_said_and_may_replace() -> None:
    """Not every provider looks at the order, and none says whether it does."""
    change = only(
        of(CACHE, PreferredCacheClusterAZs=["a", "b"]), of(CACHE, PreferredCacheClusterAZs=["b", "a"])
    )
    assert (What.MAY_BE_REPLACED, ["PreferredCacheClusterAZs[order]"]) == (change.what, paths(change))


def test_what_replaces_is_the_first_of_what_changes() -> None:
    """It is what one looks for."""
    change = only(of(QUEUE, DelaySeconds=1, QueueName="one"), of(QUEUE, DelaySeconds=2, QueueName="other"))
    assert ["QueueName", "DelaySeconds"] == paths(change)


def test_another_type_is_another_resource() -> None:
    """CloudFormation refuses it under the same id; whichever of the two holds data counts."""
    change = only(of(QUEUE), of(FUNCTION))
    assert (What.REPLACED, True) == (change.what, change.refused)
    assert f"{QUEUE} -> {FUNCTION}" == change.type


def test_a_type_that_nobody_knows_may_be_replaced_by_anything() -> None:
    """It is not for lack of knowing that something is safe."""
    assert What.MAY_BE_REPLACED == becomes("Acme::Cache::Thing", {"Size": 1}, {"Size": 2})


def test_a_resource_of_our_own_code_is_as_its_code_is() -> None:
    """What replaces it is another code alone."""
    assert What.MODIFIED == becomes(
        "Custom::Seed", {"ServiceToken": "a", "Rows": 1}, {"ServiceToken": "a", "Rows": 2}
    )
    assert What.REPLACED == becomes("Custom::Seed", {"ServiceToken": "a"}, {"ServiceToken": "b"})


@pytest.mark.parametrize(
    ("resource", "what", "note"),
    [
        (of(QUEUE), What.DELETED, ""),
        (of(QUEUE, {"DeletionPolicy": "Retain"}), What.ORPHANED, ""),
        (of(QUEUE, {"DeletionPolicy": "RetainExceptOnCreate"}), What.ORPHANED, ""),
        (of(CACHE, {"DeletionPolicy": "Snapshot"}), What.DELETED, "a snapshot of it stays"),
        (of("AWS::RDS::DBCluster"), What.DELETED, "a snapshot of it stays"),
        (of(DATABASE), What.DELETED, "a snapshot of it stays"),
        (of(DATABASE, DBClusterIdentifier="cluster"), What.DELETED, ""),
    ],
)
def test_what_holds_data_is_not_deleted_unasked_even_if_it_stays(
    resource: dict[str, Any], what: What, note: str
) -> None:
    """The stack loses its hold on it, and the next deployment makes an empty one."""
    [change] = compare(stack(It=resource), stack())
    assert (what, note, True) == (change.what, change.note, change.refused)


def test_what_holds_none_is() -> None:
    """A service is started again."""
    [change] = compare(stack(It=of(SERVICE)), stack())
    assert (What.DELETED, False) == (change.what, change.refused)


def test_another_logical_id_is_a_deletion_and_an_addition() -> None:
    """CloudFormation does not know them for one; who meant a renaming is told."""
    queue = of(QUEUE, VisibilityTimeout=30)
    gone, come = compare(stack(Old=queue, Other=of(TOPIC)), stack(New=queue, Other=of(TOPIC)))
    assert ("Old", What.DELETED, True) == (gone.logical_id, gone.what, gone.refused)
    assert "meant to be New" in gone.note
    assert ("New", What.ADDED, False) == (come.logical_id, come.what, come.refused)


@pytest.mark.parametrize(
    ("policy", "fate"),
    [
        ({}, "the old one is deleted"),
        ({"UpdateReplacePolicy": "Retain"}, "the old one stays in the account"),
        ({"UpdateReplacePolicy": "Snapshot"}, "a snapshot of the old one stays"),
    ],
)
def test_what_is_replaced_says_what_becomes_of_the_old_one(policy: dict[str, str], fate: str) -> None:
    """By the policy of replacing, which is not that of deleting."""
    change = only(of(CACHE, policy, Port=1), of(CACHE, policy, Port=2))
    assert (fate, True) == (change.note, change.refused)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ({"DeletionPolicy": "Retain"}, {"DeletionPolicy": "Delete"}, What.LOOSENED),
        ({"DeletionPolicy": "Retain"}, {}, What.LOOSENED),
        ({"UpdateReplacePolicy": "Retain"}, {"UpdateReplacePolicy": "Snapshot"}, What.LOOSENED),
        ({}, {"DeletionPolicy": "Retain"}, What.MODIFIED),
        ({"DeletionPolicy": "Retain"}, {"DeletionPolicy": "RetainExceptOnCreate"}, What.MODIFIED),
    ],
)
def test_a_policy_that_keeps_less_counts_as_a_loss(
    old: dict[str, str], new: dict[str, str], what: What
) -> None:
    """Nothing is lost yet, and nothing will be in the way of the next who loses it."""
    change = only(of(QUEUE, old), of(QUEUE, new))
    assert (what, what is What.LOOSENED) == (change.what, change.refused)


def test_a_policy_that_says_what_goes_without_saying_is_no_change() -> None:
    """Of a queue, to be deleted; of a database, to leave a snapshot."""
    assert [] == compare(stack(It=of(QUEUE)), stack(It=of(QUEUE, {"DeletionPolicy": "Delete"})))
    assert [] == compare(stack(It=of(DATABASE)), stack(It=of(DATABASE, {"DeletionPolicy": "Snapshot"})))


@pytest.mark.parametrize(
    ("resource_type", "name", "on", "off"),
    [
        (DATABASE, "DeletionProtection", True, False),
        (TABLE, "DeletionProtectionEnabled", "true", None),
        ("AWS::Cognito::UserPool", "DeletionProtection", "ACTIVE", "INACTIVE"),
    ],
)
def test_a_protection_that_is_taken_off_counts_as_a_loss(
    resource_type: str, name: str, on: Any, off: Any
) -> None:
    """Putting it on does not."""
    protected, bare = (
        of(resource_type, **{name: on}),
        of(resource_type, **({name: off} if off is not None else {})),
    )
    assert (What.LOOSENED, True) == (only(protected, bare).what, only(protected, bare).refused)
    assert (What.MODIFIED, False) == (only(bare, protected).what, only(bare, protected).refused)


def chain(name: str) -> dict[str, Any]:
    """A database in a group of subnets, a task that knows where it is, and a service that runs it."""
    where = {"Name": "DATABASE", "Value": {"Fn::Sub": "postgres://${Database.Endpoint.Address}/shop"}}
    return stack(
        Group=of(SUBNETS, DBSubnetGroupName=name),
        Database=of(DATABASE, DBSubnetGroupName={"Ref": "Group"}),
        Task=of(TASK, ContainerDefinitions=[{"Name": "web", "Environment": [where]}]),
        Service=of(SERVICE, TaskDefinition={"Ref": "Task"}),
        Alone=of(SERVICE, TaskDefinition="other"),
    )


def test_what_a_replaced_resource_is_part_of_may_be_replaced_in_turn() -> None:
    """CloudFormation finds out while it deploys: the name of the new one is another."""
    found = whats(compare(chain("one"), chain("other")))
    assert {
        "Group": What.REPLACED,
        "Database": What.MAY_BE_REPLACED,
        "Task": What.MAY_BE_REPLACED,
        "Service": What.MODIFIED,
    } == found


def test_what_follows_says_from_what() -> None:
    """The template of the database is as it was."""
    database, *_ = compare(chain("one"), chain("other"))
    [name] = database.properties
    assert ("Database", True) == (database.logical_id, database.refused)
    assert ("DBSubnetGroupName", "Group is replaced") == (name.path, name.reason)


def test_what_changes_and_would_follow_too_is_said_once() -> None:
    """A name that begins like another's is another's."""

    def template(name: str, engine: str) -> dict[str, Any]:
        group = {"Fn::Join": ["-", [{"Ref": "Group"}, engine]]}
        database = of(DATABASE, Engine=engine, EngineVersion={"Ref": "Group"}, DBSubnetGroupName=group)
        return stack(Group=of(SUBNETS, DBSubnetGroupName=name), Database=database)

    database, _ = compare(template("one", "postgres"), template("other", "mysql"))
    assert ["Engine", "DBSubnetGroupName", "EngineVersion"] == paths(database)


def test_a_function_around_what_is_create_only_carries_what_it_refers_to() -> None:
    """Though it cannot be seen where."""
    choice = {"Fn::If": ["InProd", {"EncryptionAtRest": {"DataVolumeKMSKeyId": {"Ref": "Queue"}}}, NO_VALUE]}
    old, new = (
        stack(Queue=of(QUEUE, QueueName=name), Kafka=of(KAFKA, EncryptionInfo=choice))
        for name in ("one", "other")
    )
    assert {"Queue": What.REPLACED, "Kafka": What.MAY_BE_REPLACED} == whats(compare(old, new))


def test_a_circle_of_references_comes_to_an_end() -> None:
    """Though CloudFormation would refuse it."""

    def circle(name: str) -> dict[str, Any]:
        one = of(QUEUE, QueueName=name, KmsMasterKeyId={"Ref": "Other"})
        return stack(One=one, Other=of(QUEUE, QueueName={"Ref": "One"}))

    assert {"One": What.REPLACED, "Other": What.MAY_BE_REPLACED} == whats(compare(circle("a"), circle("b")))


@pytest.mark.parametrize(
    ("section", "old", "new", "name"),
    [
        (
            "Parameters",
            {"Name": {"Type": "String", "Default": "a"}},
            {"Name": {"Type": "String", "Default": "b"}},
            {"Ref": "Name"},
        ),
        (
            "Mappings",
            {"Names": {"eu": {"queue": "a"}}},
            {"Names": {"eu": {"queue": "b"}}},
            {"Fn::FindInMap": ["Names", "eu", "queue"]},
        ),
        (
            "Conditions",
            {"InProd": IN_PROD, "Named": {"Condition": "InProd"}},
            {"InProd": {"Fn::Not": [IN_PROD]}, "Named": {"Condition": "InProd"}},
            {"Fn::If": ["Named", "a", "b"]},
        ),
    ],
)
def test_what_refers_to_a_value_that_changes_may_be_replaced(
    section: str, old: dict[str, Any], new: dict[str, Any], name: dict[str, Any]
) -> None:
    """Its own template is as it was; the parameter, mapping or condition has a line of its own."""
    queue = of(QUEUE, QueueName=name, DelaySeconds=name)
    change, other = compare(stack({section: old}, Queue=queue), stack({section: new}, Queue=queue))
    assert (What.MAY_BE_REPLACED, ["QueueName"]) == (change.what, paths(change))
    assert (section.removesuffix("s"), What.MODIFIED, False) == (other.type, other.what, other.refused)


def test_a_resource_under_a_condition_that_changes_may_be_deleted() -> None:
    """As may one that gets a condition; one that loses its own can only come to be."""
    unless, when = {"InProd": {"Fn::Not": [IN_PROD]}}, {"InProd": IN_PROD}
    bare, bound = of(QUEUE), of(QUEUE, {"Condition": "InProd"})
    cases = {
        "changes": compare(stack({"Conditions": unless}, It=bound), stack({"Conditions": when}, It=bound)),
        "comes": compare(stack({"Conditions": when}, It=bare), stack({"Conditions": when}, It=bound)),
        "goes": compare(stack({"Conditions": when}, It=bound), stack({"Conditions": when}, It=bare)),
    }
    assert {
        "changes": What.MAY_BE_DELETED,
        "comes": What.MAY_BE_DELETED,
        "goes": What.MODIFIED,
    } == {case: whats(changes)["It"] for case, changes in cases.items()}


def test_what_the_cdk_writes_for_itself_is_no_change() -> None:
    """Where a construct is in the code, which asset has its files, and its own statistics."""

    def template(mark: str) -> dict[str, Any]:
        metadata = {"aws:cdk:path": mark, "aws:asset:path": f"asset.{mark}"}
        return stack(
            {"Conditions": {"CDKMetadataAvailable": {"Fn::Equals": [mark, mark]}}},
            Queue=of(QUEUE, {"Metadata": metadata}),
            CDKMetadata=of("AWS::CDK::Metadata", Analytics=mark),
        )

    assert [] == compare(template("a"), template("b"))


def test_what_is_no_property_modifies() -> None:
    """An order of dependencies is none."""
    old = {"DependsOn": ["A", "B"], "Metadata": {"cdk_nag": {"rules": 1}}}
    new = {"DependsOn": ["B", "A"], "Metadata": {"cdk_nag": {"rules": 2}}}
    assert ["Metadata.cdk_nag.rules"] == paths(only(of(QUEUE, old), of(QUEUE, new)))
    assert ["DependsOn[0]"] == paths(only(of(QUEUE, {"DependsOn": "A"}), of(QUEUE, {"DependsOn": "B"})))


def output(value: Any, export: str | None = None) -> dict[str, Any]:
    return {"Outputs": {"Url": {"Value": value} | ({"Export": {"Name": export}} if export else {})}}


@pytest.mark.parametrize(
    ("old", "new", "what", "export"),
    [
        (output("a", "orders:Url"), {}, What.UNEXPORTED, "orders:Url"),
        (output("a", "orders:Url"), output("a", "sales:Url"), What.UNEXPORTED, "orders:Url"),
        (output("a", "orders:Url"), output("b", "orders:Url"), What.MODIFIED, "orders:Url"),
        (output("a"), {}, What.DELETED, ""),
        (output("a"), output("b"), What.MODIFIED, ""),
        ({}, output("a", "orders:Url"), What.ADDED, ""),
    ],
)
def test_an_export_that_goes_or_changes_is_said_to_be_one(
    old: dict[str, Any], new: dict[str, Any], what: What, export: str
) -> None:
    """CloudFormation refuses both while a stack imports it."""
    [change] = compare(stack(old), stack(new))
    assert ("Output", what, export, False) == (change.type, change.what, change.export, change.refused)


def test_an_export_of_what_is_replaced_changes_with_it() -> None:
    """Its own template is as it was."""
    exported = output({"Ref": "Queue"}, "orders:Url")
    old, new = (stack(exported, Queue=of(QUEUE, QueueName=name)) for name in ("one", "other"))
    assert {"Queue": What.REPLACED, "Url": What.MODIFIED} == whats(compare(old, new))


def test_who_imports_what_is_exported_no_more_is_named(tmp_path: Path) -> None:
    """Be it as released, which must be deployed first, or still."""
    orders = stack(output("a", "orders:Url"))
    user = stack(It=of(FUNCTION, Description={"Fn::ImportValue": "orders:Url"}))
    old = write(tmp_path / "old", orders=orders, user=user)
    new = write(tmp_path / "new", orders=stack(), user=stack(It=of(FUNCTION)))
    [change] = compare_folders(old, new)["orders"]
    assert change.note.endswith("imports orders:Url; imported by user")


def test_a_stack_that_goes_takes_all_with_it(tmp_path: Path) -> None:
    """And one that comes brings all of it."""
    old, new = (
        write(tmp_path / "old", orders=stack(Queue=of(QUEUE))),
        write(tmp_path / "new", sales=stack(It=of(QUEUE))),
    )
    found = compare_folders(old, new)
    assert ["orders", "sales"] == list(found)
    assert [("orders", What.DELETED), ("Queue", What.DELETED)] == list(whats(found["orders"]).items())
    assert {"sales": What.ADDED, "It": What.ADDED} == whats(found["sales"])
    assert ["Queue"] == [each.logical_id for each in difference.refused(found["orders"])]


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


def test_what_loses_data_comes_first_and_the_sooner_the_graver() -> None:
    """Whatever it is called."""
    old = stack(
        output("a"),
        A=of(SERVICE, DesiredCount=1),
        B=of(SERVICE, Cluster="one"),
        C=of(QUEUE, {"DeletionPolicy": "Retain"}),
        D=of(QUEUE, QueueName="one"),
        E=of(QUEUE),
        F=of(QUEUE, {"DeletionPolicy": "Retain"}),
    )
    new = stack(
        A=of(SERVICE, DesiredCount=2),
        B=of(SERVICE, Cluster="other"),
        C=of(QUEUE),
        D=of(QUEUE, QueueName="other"),
    )
    assert ["E", "D", "F", "C", "B", "A", "Url"] == [change.logical_id for change in compare(old, new)]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A queue that is replaced."""
    return (
        write(tmp_path / "old", orders=stack(Queue=of(QUEUE, QueueName="one"))),
        write(tmp_path / "new", orders=stack(Queue=of(QUEUE, QueueName="other"))),
    )


def test_a_loss_is_refused_and_shown(folders: tuple[Path, Path]) -> None:
    """A line for what becomes of it, one for each reason, and how to have it nevertheless."""
    text, status = difference.run(*folders)
    assert 1 == status
    assert text == (
        "Stateful, refused without --allow-stateful:\n"
        "  orders: Queue (AWS::SQS::Queue) is replaced: the old one is deleted\n"
        '      QueueName: "one" -> "other" (replaces it)\n'
        "\n"
        "Refused: 1 of 1 changes would lose what is kept, or guard it less."
        " If that is meant, say --allow-stateful.\n"
    )


def test_a_loss_that_is_meant_is_allowed_and_shown(folders: tuple[Path, Path]) -> None:
    """First, as ever."""
    text, status = difference.run(*folders, allow_stateful=True)
    assert 0 == status
    assert text.startswith("Stateful, allowed by --allow-stateful:\n  orders: Queue")
    assert text.endswith("Allowed: 1 of 1 changes would lose what is kept, or guard it less.\n")


def test_nothing_is_said_in_every_form(folders: tuple[Path, Path]) -> None:
    """And is no reason to refuse."""
    old, _ = folders
    assert ("Nothing changes.\n", 0) == difference.run(old, old)
    assert "Nothing changes." in difference.run(old, old, form="markdown")[0]
    assert {"refused": False, "stacks": {}} == json.loads(difference.run(old, old, form="json")[0])


def test_json_has_all_of_a_change(folders: tuple[Path, Path]) -> None:
    """For who decides by other rules."""
    text, status = difference.run(*folders, form="json")
    name = {"path": "QueueName", "old": "one", "new": "other", "effect": "replaced", "reason": ""}
    change = {
        "logical_id": "Queue",
        "type": QUEUE,
        "what": "replaced",
        "stateful": True,
        "properties": [name],
        "note": "the old one is deleted",
        "export": "",
        "refused": True,
    }
    assert ({"refused": True, "stacks": {"orders": [change]}}, 1) == (json.loads(text), status)


def test_a_comment_shows_losses_and_folds_the_rest(folders: tuple[Path, Path]) -> None:
    """Nobody reads the rest before they know."""
    old, new = folders
    write(new, orders=stack(Queue=of(QUEUE, QueueName="other"), Topic=of(TOPIC)))
    text, _ = difference.run(old, new, form="markdown")
    loss, rest = text.split("<details>")
    assert "> [!CAUTION]\n> Refused: 1 of 2 changes" in loss
    assert "- `orders`: `Queue` (`AWS::SQS::Queue`) is replaced" in loss
    assert '  - `QueueName`: `"one"` → `"other"` (replaces it)' in loss
    assert (
        "<summary>Modified or added: 1</summary>\n\n- `orders`: `Topic` (`AWS::SNS::Topic`) is added" in rest
    )


def test_a_value_in_a_comment_stays_code() -> None:
    """Whatever is in it."""
    change = only(of(FUNCTION, Description="a"), of(FUNCTION, Description="`b` @all <b>"))
    assert '→ `` "`b` @all <b>" ``' in difference.markdown({"orders": [change]})


def test_a_comment_is_not_longer_than_one_may_be() -> None:
    """What is cut is counted, and what is open is closed."""
    added = [Change(f"Queue{number:04}", QUEUE, What.ADDED, True) for number in range(2000)]
    text = difference.markdown({"orders": added})
    assert len(text) < 65_536
    assert "</details>\n\n" in text
    assert text.endswith("lines more are not shown here.\n")


def test_long_values_are_cut_to_where_they_differ() -> None:
    """Two ARNs begin alike."""
    begin = "arn:aws:iam::111122223333:role/a-role-with-a-name-of-many-words-that-nobody-reads-"
    change = only(of(FUNCTION, Role=f"{begin}a"), of(FUNCTION, Role=f"{begin}b"))
    text = difference.report({"orders": [change]})
    assert 'Role: …s-that-nobody-reads-a" -> …s-that-nobody-reads-b"\n' in text
    longer = only(of(FUNCTION, Description="a" * 500), of(FUNCTION, Description="b"))
    assert max(map(len, difference.report({"orders": [longer]}).splitlines())) < 160


@pytest.mark.parametrize(
    "resource_type",
    [
        *(QUEUE, TOPIC, BUCKET, DATABASE, CACHE, TABLE, KAFKA),
        *("AWS::RDS::DBCluster", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"),
        *("AWS::Cognito::UserPool", "AWS::ECR::Repository", "AWS::ElastiCache::ServerlessCache"),
    ],
)
def test_what_holds_data_is_known_to(resource_type: str) -> None:
    """Of what this project has, and what it may come to."""
    [change] = compare(stack(It=of(resource_type)), stack())
    assert change.stateful


@pytest.mark.parametrize("resource_type", sorted(difference_data.STATEFUL))
def test_a_type_that_we_list_is_one_of_aws_that_cfn_lint_does_not_list(resource_type: str) -> None:
    """A mistyped one would guard nothing; one that is listed there can go here."""
    assert resource_type in PROVIDER_SCHEMA_MANAGER.get_resource_types("us-east-1")
    assert resource_type not in load_resource(AdditionalSpecs, "StatefulResources.json")["ResourceTypes"]


@pytest.mark.parametrize(
    "table", [difference_data.REPLACES, difference_data.MAY_REPLACE, difference_data.IN_PLACE]
)
def test_a_property_of_which_we_know_better_is_one(table: dict[str, tuple[str, ...]]) -> None:
    """A mistyped one would be left to the schema."""
    for resource_type, pointers in table.items():
        known = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema["properties"]
        assert [] == [pointer for pointer in pointers if pointer.partition("/")[0] not in known]


def test_a_large_stack_is_compared_in_full() -> None:
    """As large as CloudFormation takes them to be: 500 resources."""
    old, new = (
        stack(
            First=of(QUEUE, QueueName=name),
            **{f"Next{at}": of(QUEUE, QueueName={"Fn::GetAtt": ["First", "QueueName"]}) for at in range(499)},
        )
        for name in ("one", "other")
    )
    assert 500 == len(difference.refused(compare(old, new)))
