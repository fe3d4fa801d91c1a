"""What holds data: the resources that no template brings back."""

from __future__ import annotations

from functools import cache

# Resources that hold what no template brings back, beside those that cfn-lint lists.
STATEFUL = frozenset(
    {
        # Subscriptions that others made, by an ARN that others know.
        "AWS::SNS::Topic",
        # Images, packages, commits.
        "AWS::ECR::PublicRepository",
        "AWS::ECR::Repository",
        "AWS::CodeArtifact::Domain",
        "AWS::CodeArtifact::Repository",
        "AWS::CodeCommit::Repository",
        # Databases, which cfn-lint does not know or knows only in part.
        "AWS::Cassandra::Keyspace",
        "AWS::Cassandra::Table",
        "AWS::DSQL::Cluster",
        "AWS::DocDB::GlobalCluster",
        "AWS::DocDBElastic::Cluster",
        "AWS::Glue::Database",
        "AWS::Glue::Table",
        "AWS::Lightsail::Database",
        "AWS::Neptune::GlobalCluster",
        "AWS::NeptuneGraph::Graph",
        "AWS::OpenSearchServerless::Collection",
        "AWS::RDS::GlobalCluster",
        "AWS::RedshiftServerless::Namespace",
        "AWS::Timestream::Database",
        "AWS::Timestream::InfluxDBCluster",
        "AWS::Timestream::InfluxDBInstance",
        "AWS::Timestream::Table",
        # Caches: what is lost is sessions, and the database's peace while they fill.
        "AWS::DAX::Cluster",
        "AWS::ElastiCache::GlobalReplicationGroup",
        "AWS::ElastiCache::ServerlessCache",
        "AWS::MemoryDB::Cluster",
        "AWS::MemoryDB::MultiRegionCluster",
        # Files and objects.
        "AWS::Backup::LogicallyAirGappedBackupVault",
        "AWS::CloudFront::KeyValueStore",
        "AWS::FSx::StorageVirtualMachine",
        "AWS::FSx::Volume",
        "AWS::Lightsail::Bucket",
        "AWS::Lightsail::Disk",
        "AWS::S3Express::DirectoryBucket",
        "AWS::S3Outposts::Bucket",
        "AWS::S3Tables::Namespace",
        "AWS::S3Tables::Table",
        "AWS::S3Tables::TableBucket",
        "AWS::S3Vectors::Index",
        "AWS::S3Vectors::VectorBucket",
        # Messages and events that wait or are kept.
        "AWS::AmazonMQ::Broker",
        "AWS::Events::Archive",
        "AWS::KinesisVideo::Stream",
        "AWS::MSK::Cluster",
        "AWS::MSK::ServerlessCluster",
        "AWS::MSK::Topic",
        "AWS::SES::MailManagerArchive",
        # Keys, without which what they encrypted or signed is worth nothing.
        "AWS::ACMPCA::CertificateAuthority",
        "AWS::CloudHSM::Cluster",
        "AWS::KMS::ReplicaKey",
        # People, and what they may.
        "AWS::Cognito::IdentityPool",
        "AWS::DirectoryService::MicrosoftAD",
        "AWS::DirectoryService::SimpleAD",
        "AWS::IdentityStore::User",
        "AWS::VerifiedPermissions::PolicyStore",
        # Records and measurements.
        "AWS::APS::Workspace",
        "AWS::CloudTrail::EventDataStore",
        "AWS::Grafana::Workspace",
        # What runs in it was put there by others, and is gone with it.
        "AWS::EKS::Cluster",
        # An address or name servers that others have written down.
        "AWS::EC2::EIP",
        "AWS::Route53::HostedZone",
    }
)


def is_stateful(resource_type: str) -> bool:
    """Whether what is lost with a resource of the type is more than the resource."""
    return resource_type in STATEFUL or resource_type in _listed()


@cache
def _listed() -> frozenset[str]:
    # Imported when something changes: it takes seconds, of which most runs need none.
    from cfnlint.data import AdditionalSpecs
    from cfnlint.helpers import load_resource

    return frozenset(load_resource(AdditionalSpecs, "StatefulResources.json")["ResourceTypes"])
