"""The product service: catalogue, stock, and the images of products."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from contracts.topology import INVENTORY_EVENTS, INVENTORY_QUEUE
from infra.constructs.database import ServerlessSize
from infra.constructs.service import Spec
from infra.nag import acknowledge
from infra.stacks.messaging import CACHE_PORT
from infra.stacks.service import Ground, ServiceStack


class ProductStack(ServiceStack):
    """Browsers send images straight to the bucket, by addresses that the service signs."""

    def __init__(self, scope: Construct, ground: Ground) -> None:
        super().__init__(scope, "product", ground)
        self.images = self._bucket()
        messaging = ground.messaging
        service = self.deploy(
            Spec(
                "product",
                priority=300,
                publishes=(INVENTORY_EVENTS,),
                consumes=INVENTORY_QUEUE,
                environment={
                    "IMAGES_BUCKET": self.images.bucket_name,
                    "REDIS_URL": f"rediss://{messaging.cache_host}:{CACHE_PORT}/0",
                },
                secrets={"REDIS_PASSWORD": ecs.Secret.from_secrets_manager(messaging.cache_token)},
                statements=self._rights(),
            ),
            ServerlessSize(minimum_acu=0.5, maximum_acu=4, backup_days=7),
        )
        images = self.get_logical_id(self.images.node.default_child)  # type: ignore[arg-type]
        acknowledge(
            service.task_role,
            {f"IAM5[Resource::<{images}.Arn>/*]": "which images there are, is known when they are uploaded"},
        )

    def _bucket(self) -> s3.Bucket:
        environment = self.ground.environment
        return s3.Bucket(
            self,
            "Images",
            versioned=True,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            cors=[
                s3.CorsRule(
                    allowed_origins=[environment.origin],
                    allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.PUT, s3.HttpMethods.POST],
                    allowed_headers=["*"],
                    exposed_headers=["ETag"],
                    max_age=3600,
                )
            ],
            lifecycle_rules=[
                s3.LifecycleRule(
                    noncurrent_version_expiration=Duration.days(30),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
            server_access_logs_bucket=s3.Bucket.from_bucket_name(
                # By its name: the bucket itself would be made to know this one, and could not be without it.
                self,
                "AccessLogs",
                self.ground.shared.logs_bucket.bucket_name,
            ),
            server_access_logs_prefix="buckets/images/",
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _rights(self) -> list[iam.PolicyStatement]:
        return [
            iam.PolicyStatement(
                actions=["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                resources=[self.images.arn_for_objects("*")],
            ),
            # Without it S3 answers 403 for an object that is not there, and not 404:
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self.images.bucket_arn]),
        ]
