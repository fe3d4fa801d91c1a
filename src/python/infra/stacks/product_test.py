"""The product stack: catalogue and stock in Aurora, and the images of products."""

from __future__ import annotations

from infra.stacks.testing import health, routing, secrets, variables
from infra.testing import Deployment, named


def test_the_database_is_aurora_serverless_of_half_to_four_acu(anywhere: Deployment) -> None:
    """PostgreSQL; it costs little at night."""
    cluster = anywhere["product"].only("AWS::RDS::DBCluster").properties
    assert "aurora-postgresql" == cluster["Engine"]
    assert {"MinCapacity": 0.5, "MaxCapacity": 4} == cluster["ServerlessV2ScalingConfiguration"]
    assert 7 == cluster["BackupRetentionPeriod"]


def test_there_is_a_writer_and_in_prod_a_reader(anywhere: Deployment) -> None:
    """Serverless v2 without a writer is no database; the reader takes over in another zone."""
    instances = {
        instance.id: instance.properties for instance in anywhere["product"].resources("AWS::RDS::DBInstance")
    }
    reader = {"DatabaseClusterreader"} if anywhere.name == "prod" else set()
    assert {"DatabaseClusterwriter"} | reader == set(instances)
    assert {("db.serverless", "${DatabaseCluster}")} == {
        (each["DBInstanceClass"], each["DBClusterIdentifier"]) for each in instances.values()
    }
    # The smaller, the sooner: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-administration.html
    assert {0, 1} >= {each["PromotionTier"] for each in instances.values()}


def test_it_answers_products_at_priority_300(anywhere: Deployment) -> None:
    """After orders."""
    assert (["/api/products", "/api/products/*"], 300) == routing(anywhere["product"])
    assert ("/health", 30, 5, 3) == health(anywhere["product"])


def test_it_finds_the_cache_where_it_takes_writes(anywhere: Deployment) -> None:
    """With one shard there is no configuration endpoint. It asks for TLS; the token is a secret."""
    assert (
        "rediss://${messaging:Cache.PrimaryEndPoint.Address}:6379/0"
        == variables(anywhere["product"], "product")["REDIS_URL"]
    )
    assert {"REDIS_PASSWORD": "${messaging:CacheToken}"} == secrets(anywhere["product"], "product")


# --- images


def test_images_are_kept_in_a_bucket_of_which_it_is_told(anywhere: Deployment) -> None:
    """Under a name that AWS makes: those that one chooses may be somebody's already."""
    bucket = anywhere["product"].only("AWS::S3::Bucket")
    assert "BucketName" not in bucket.properties
    assert f"${{{bucket.id}}}" == variables(anywhere["product"], "product")["IMAGES_BUCKET"]


def test_an_image_that_was_replaced_is_there_for_30_days(anywhere: Deployment) -> None:
    """Then its old versions go; what is shown stays. An upload that was given up goes after a day."""
    (rule,) = anywhere["product"].only("AWS::S3::Bucket").properties["LifecycleConfiguration"]["Rules"]
    assert {
        "Status": "Enabled",
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    } == rule


def test_browsers_of_the_shop_may_send_and_fetch_images(anywhere: Deployment) -> None:
    """By GET, PUT and POST, from the origins that the environment names: anybody's in dev only."""
    (rule,) = anywhere["product"].only("AWS::S3::Bucket").properties["CorsConfiguration"]["CorsRules"]
    assert ["GET", "PUT", "POST"] == rule["AllowedMethods"]
    origins = ["*"] if anywhere.name == "dev" else ["https://mercato.example.com"]
    assert (origins, ["*"], ["ETag"], 3600) == (
        rule["AllowedOrigins"],
        rule["AllowedHeaders"],
        rule["ExposedHeaders"],
        rule["MaxAge"],
    )


def test_who_reads_images_is_logged(anywhere: Deployment) -> None:
    """In the bucket of access logs, which lets in exactly that."""
    logging = anywhere["product"].only("AWS::S3::Bucket").properties["LoggingConfiguration"]
    assert {"DestinationBucketName": "${shared:AccessLogs}", "LogFilePrefix": "buckets/images/"} == logging


def test_images_outlive_their_stack(anywhere: Deployment) -> None:
    """Nothing brings them back."""
    assert "Retain" == named(anywhere["product"], "Images").attributes["DeletionPolicy"]
