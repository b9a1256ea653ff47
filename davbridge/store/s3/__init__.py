"""S3Store: an ObjectStore that is a bucket of any S3 store.

The only room that knows boto3 and botocore. From the top down::

    store.py                         S3Store: the protocol, put together from what is below
    listing, reader, writer,         what it does, a module for each operation
      multipart, commits, copy,
      deletes
    probe, questions, sweep          what the store can do; what a crash has left in it
    answers, page, uploads, xml,     what S3's answers mean, and what its failures do
      checksums, outcomes, space
    wire, retries, outgoing,         one request: signed, sent, sent again
      signing, clock, health
    address, kept                    what botocore knows of the bucket and its credentials
    connect, connections, http       bytes to and from the store
    client, credentials              how botocore's client is built, which serves the start
    setup, diagnosis                 a bucket that is there at the start, or a line of why not
    capabilities                     what stores differ in
    errors                           botocore's exceptions → StoreErrors
"""

from davbridge.store.s3.store import PART_THREADS, S3Store

__all__ = ["PART_THREADS", "S3Store"]
