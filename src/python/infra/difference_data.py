"""What cfn-lint lacks for telling what a deployment would lose, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping

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

# Properties of which AWS says more than in its schemas: in what handles RDS, which decides by what changes
# (aws-cloudformation-resource-providers-rds, ImmutabilityHelper.java), and in the user guide.

REPLACES: Mapping[str, tuple[str, ...]] = {
    "AWS::RDS::DBCluster": ("Engine",),
    "AWS::RDS::DBInstance": ("Engine",),
}
MAY_REPLACE: Mapping[str, tuple[str, ...]] = {
    # "Replacement if you edit an existing AttributeDefinition". A local index comes with its table or never.
    "AWS::DynamoDB::Table": ("AttributeDefinitions/*/AttributeType", "LocalSecondaryIndexes"),
    # Unless UseOnlineResharding is set.
    "AWS::ElastiCache::ReplicationGroup": ("NumNodeGroups",),
}
IN_PLACE: Mapping[str, tuple[str, ...]] = {
    "AWS::RDS::DBInstance": (
        "AutoMinorVersionUpgrade",
        "BackupRetentionPeriod",
        "DBParameterGroupName",
        "MultiAZ",
        "PreferredMaintenanceWindow",
    ),
}

# What RDS changes an engine into, in place.
UPGRADES = frozenset(
    {
        ("aurora", "aurora-mysql"),
        ("oracle-ee", "oracle-ee-cdb"),
        ("oracle-se", "oracle-se2"),
        ("oracle-se1", "oracle-se2"),
        ("oracle-se2", "oracle-se2-cdb"),
    }
)
