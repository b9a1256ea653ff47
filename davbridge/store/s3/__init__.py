"""S3Store: an ObjectStore that is a bucket of any S3 store. Imports go down this list::

store.py      S3Store: the protocol, put together from what is below
setup/        what the start does: client, credentials, bucket, capabilities
operations/   listing, reading, writing, copying, deleting, sweeping
transport/    one request: signed, sent, retried
messages/     what requests and responses say: headers, XML, errors, checksums

boto3 makes the client, and finds credentials, region and address. davbridge sends the requests
itself: botocore takes 4 to 5 ms of processor time for a small one, `transport` a twentieth of it.
"""

from davbridge.store.s3.store import PART_THREADS, S3Store

__all__ = ["PART_THREADS", "S3Store"]
