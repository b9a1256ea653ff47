"""S3 endpoints that tests run against."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an S3 store answers, and who may ask it."""

    url: str
    access_key: str
    secret_key: str
    region: str


def s3_client(endpoint: Endpoint) -> "S3Client":
    """A plain boto3 client, to fill buckets behind davbridge's back and to look into them."""
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        region_name=endpoint.region,
        config=Config(s3={"addressing_style": "path"}),
    )
    return client
