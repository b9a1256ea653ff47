"""S3Store: an ObjectStore that is a bucket of any S3 store. Imports go down this list::

store.py           S3Store: the protocol, composed of what is below
setup/             what is done at the start: client, credentials, bucket, capabilities
object_requests/   the requests about objects: list, read, write, copy, delete
bucket/            a bucket, and what is known of it
transport/         one request: signed, sent, retried
messages/          the content of requests and responses: headers, XML, errors, checksums

boto3 makes the client, and finds credentials, region and address. davbridge sends the requests
itself: botocore takes 4 to 5 ms of processor time for a small one, `transport` a twentieth of it.
"""

from davbridge.store.s3.store import PART_THREADS, S3Store

__all__ = ["PART_THREADS", "S3Store"]
