"""Each operation of an S3Store, and what S3 says in a listing, where answers are made up."""

from collections.abc import Callable

from davbridge.clock import utc_now
from davbridge.store.base import IF_ABSENT, Attributes, Condition, ObjectRow
from davbridge.store.s3 import S3Store

ROW = ObjectRow("a", 1, utc_now(), "e")

LARGE = ROW._replace(size=6 * 1024**3)

OPERATIONS: dict[str, Callable[[S3Store], object]] = {
    "LIST": lambda store: list(store.list_objects("")),
    "LOOKUP": lambda store: store.lookup("a"),
    "HEAD": lambda store: store.head_object("a"),
    "GET": lambda store: store.get_object("a"),
    "RANGE": lambda store: store.get_object("a", start=1, end=3),
    "PUT": lambda store: store.put_object("a", b"x", Attributes()),
    "CREATE": lambda store: store.put_object("a", b"x", Attributes(), IF_ABSENT),
    "OVERWRITE": lambda store: store.put_object("a", b"x", Attributes(), Condition(if_match="e")),
    "UPLOAD": lambda store: store.open_writer("a", Attributes(), length=0).commit(),
    "COPY": lambda store: store.copy_object(ROW, "b"),
    "COPY IN PARTS": lambda store: store.copy_object(LARGE, "b", attributes=Attributes()),
    "DELETE": lambda store: store.delete_object("a"),
}

LISTING = "<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".format
ENTRY = (
    "<Contents><Key>{}</Key><LastModified>2026-11-22T16:42:57Z</LastModified>"
    '<ETag>"e"</ETag><Size>{}</Size></Contents>'.format
)
