"""Which of S3's operations a request on the wire is."""

from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.s3proxy import Request

_BY_PARAMETER = {
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "uploadId"): "ListParts",
    ("GET", "acl"): "GetObjectAcl",
    ("GET", "tagging"): "GetObjectTagging",
    ("GET", "ownershipControls"): "GetBucketOwnershipControls",
    ("GET", "object-lock"): "GetObjectLockConfiguration",
    ("POST", "delete"): "DeleteObjects",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}

_ON_AN_OBJECT = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
}


def operation_of(request: Request) -> str:
    """Its name in AWS's reference. The bucket is the first segment of the path."""
    url = urlsplit(request.target)
    parameters = parse_qs(url.query, keep_blank_values=True)
    if request.method == "PUT":
        return _put(request, parameters)
    for parameter in parameters:
        if name := _BY_PARAMETER.get((request.method, parameter)):
            return name
    if request.method == "HEAD" and url.path.count("/") == 1:
        return "HeadBucket"
    assert url.path.count("/") > 1, f"a request on the bucket: {request}"
    return _ON_AN_OBJECT[request.method]


def credential_of(request: Request) -> str:
    """Who has signed it, and for what: the access key, the day, the region and the rest, each
    followed by a slash. Signatures are in a header or in the query."""
    in_header = request.headers["Authorization"] or ""
    _, _, credential = (in_header or unquote(request.target)).partition("Credential=")
    return credential.replace(",", "&").partition("&")[0]


def is_expiring(request: Request) -> bool:
    """Whether its signature is good for as long only as it says."""
    return "X-Amz-Expires=" in request.target


def _put(request: Request, parameters: dict[str, list[str]]) -> str:
    is_copy = "x-amz-copy-source" in request.headers
    if "partNumber" in parameters:
        return "UploadPartCopy" if is_copy else "UploadPart"
    return "CopyObject" if is_copy else "PutObject"
