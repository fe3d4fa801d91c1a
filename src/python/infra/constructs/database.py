"""A service's own PostgreSQL, as an instance or as Aurora Serverless v2."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.alarms import ABOVE, BELOW, alarm
from infra.environment import Environment
from infra.nag import acknowledge, managed_policy

PORT = 5432
USER = "mercato"

_GIB = 1024**3
# By the memory that there is:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections
_CONNECTIONS = {"micro": 112, "small": 225}
# By the most capacity, and not by that of the moment:
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
_CONNECTIONS_OF_ACU = {1: 189, 4: 823, 8: 1669}
# Of PostgreSQL for its superusers (superuser_reserved_connections), and of RDS for itself.
_RESERVED = 5
# The major version alone: AWS keeps the minor one up to date. It is that which the shop runs on one machine.
_POSTGRES = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_18)
_AURORA = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_18_4)


@dataclass(frozen=True)
class InstanceSize:
    """An RDS instance: `kind` as in `t3.micro`, storage in GiB, and for how many days it is backed up."""

    kind: str
    storage_gib: int
    maximum_storage_gib: int
    backup_days: int
    performance_insights: bool = False

    @property
    def connections(self) -> int:
        """How many there may be at once."""
        return _CONNECTIONS[self.kind.split(".")[-1]]


@dataclass(frozen=True)
class ServerlessSize:
    """Aurora capacity units: of 2 GiB of memory each."""

    minimum_acu: float
    maximum_acu: int
    backup_days: int

    @property
    def connections(self) -> int:
        """How many there may be at once."""
        return _CONNECTIONS_OF_ACU[self.maximum_acu]


class Database(Construct):
    """The database `mercato_SERVICE`. RDS makes its password, keeps it in `secret` and rotates it each week.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
    """

    secret: secretsmanager.ISecret

    def __init__(
        self,
        scope: Construct,
        service: str,
        *,
        size: InstanceSize | ServerlessSize,
        vpc: ec2.IVpc,
        environment: Environment,
        alerts: sns.ITopic,
    ) -> None:
        super().__init__(scope, "Database")
        self.name = f"mercato_{service}"
        self.connections = size.connections
        self._environment = environment
        self._vpc = vpc
        self.group = ec2.SecurityGroup(
            self, "Group", vpc=vpc, description=f"The {service} database", allow_all_outbound=False
        )
        if isinstance(size, InstanceSize):
            self._instance(size, alerts)
        else:
            self._cluster(size, alerts)

    def allow(self, peer: ec2.ISecurityGroup) -> None:
        """Let the tasks of `peer` connect."""
        self.group.add_ingress_rule(peer, ec2.Port.tcp(PORT), "the service")

    def pool_of_each(self, tasks: int) -> int:
        """How many connections each of so many tasks may keep in its pool, beside one that listens."""
        return (self.connections - _RESERVED) // tasks - 1

    @property
    def url(self) -> str:
        """Where it is, without a password. It insists on TLS."""
        return f"postgresql://{USER}@{self.host}:{PORT}/{self.name}?sslmode=require"

    def _instance(self, size: InstanceSize, alerts: sns.ITopic) -> None:
        environment = self._environment
        instance = rds.DatabaseInstance(
            self,
            "Instance",
            engine=_POSTGRES,
            instance_type=ec2.InstanceType(size.kind),
            vpc=self._vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[self.group],
            database_name=self.name,
            credentials=rds.Credentials.from_username(USER),
            manage_master_user_password=True,
            allocated_storage=size.storage_gib,
            max_allocated_storage=size.maximum_storage_gib,
            storage_type=rds.StorageType.GP3,
            storage_encrypted=True,
            backup_retention=Duration.days(size.backup_days),
            monitoring_interval=Duration.seconds(60),
            monitoring_role=self._monitoring_role(),
            enable_performance_insights=size.performance_insights,
            multi_az=environment.multi_az,
            deletion_protection=environment.deletion_protection,
            removal_policy=RemovalPolicy.SNAPSHOT,
            copy_tags_to_snapshot=True,
            cloudwatch_logs_exports=["postgresql"],
            auto_minor_version_upgrade=True,
        )
        secret = instance.secret
        assert secret is not None
        self.secret = secret
        self.host = instance.db_instance_endpoint_address
        self._acknowledge(instance)
        self._alarms(
            alerts,
            cpu=instance.metric_cpu_utilization(),
            connections=instance.metric_database_connections(),
            # While some are left to look with.
            most_connections=size.connections * 15 // 16,
        )
        alarm(
            self,
            "StorageLow",
            instance.metric_free_storage_space(statistic="Minimum"),
            BELOW,
            2 * _GIB,
            periods=3,
            description=f"{self.name} has less than 2 GiB left, of {size.maximum_storage_gib} at most",
            topic=alerts,
        )

    def _cluster(self, size: ServerlessSize, alerts: sns.ITopic) -> None:
        environment = self._environment
        reader = [rds.ClusterInstance.serverless_v2("reader", scale_with_writer=True)]
        cluster = rds.DatabaseCluster(
            self,
            "Cluster",
            engine=_AURORA,
            writer=rds.ClusterInstance.serverless_v2("writer"),
            readers=reader if environment.aurora_reader else [],
            serverless_v2_min_capacity=size.minimum_acu,
            serverless_v2_max_capacity=size.maximum_acu,
            vpc=self._vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[self.group],
            default_database_name=self.name,
            credentials=rds.Credentials.from_username(USER),
            manage_master_user_password=True,
            storage_encrypted=True,
            backup=rds.BackupProps(retention=Duration.days(size.backup_days)),
            monitoring_interval=Duration.seconds(60),
            monitoring_role=self._monitoring_role(),
            deletion_protection=environment.deletion_protection,
            removal_policy=RemovalPolicy.SNAPSHOT,
            copy_tags_to_snapshot=True,
            cloudwatch_logs_exports=["postgresql"],
        )
        secret = cluster.secret
        assert secret is not None
        self.secret = secret
        self.host = cluster.cluster_endpoint.hostname
        self._acknowledge(cluster)
        self._alarms(
            alerts,
            cpu=cluster.metric_cpu_utilization(),
            connections=cluster.metric_database_connections(),
            # Less than four fifths of what there are.
            most_connections=round(160 * size.maximum_acu),
        )

    def _monitoring_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "Monitoring",
            assumed_by=iam.ServicePrincipal("monitoring.rds.amazonaws.com"),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonRDSEnhancedMonitoringRole")
            ],
        )
        acknowledge(
            role,
            {
                managed_policy(
                    "service-role/AmazonRDSEnhancedMonitoringRole"
                ): "it writes to RDS' log group alone"
            },
        )
        return role

    def _alarms(
        self,
        alerts: sns.ITopic,
        *,
        cpu: cloudwatch.Metric,
        connections: cloudwatch.Metric,
        most_connections: int,
    ) -> None:
        alarm(
            self,
            "CpuHigh",
            cpu,
            ABOVE,
            80,
            periods=3,
            description=f"{self.name} has been above 80 % CPU for a quarter of an hour",
            topic=alerts,
        )
        alarm(
            self,
            "ConnectionsHigh",
            connections,
            ABOVE,
            most_connections,
            periods=2,
            description=f"{self.name} has few connections left: tasks times pool size is too much",
            topic=alerts,
        )

    def _acknowledge(self, database: Construct) -> None:
        port = "only tasks of the service reach the port, whatever its number"
        acknowledge(
            database,
            {
                "RDS6": "a password that RDS rotates; a token of IAM would be signed for each connection",
                "RDS11": port,
            },
        )
        if not self._environment.multi_az:
            acknowledge(database, {"RDS3": "this environment may be away while an instance is replaced"})
        if not self._environment.deletion_protection:
            acknowledge(database, {"RDS10": "this environment may be deleted; a snapshot is left"})
