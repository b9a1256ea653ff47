"""Finds out what objects in the bucket can have, by its settings and on a canary.

Five requests at the most, as the first three run side by side; none of them writes.
"""

import logging
from collections.abc import Callable
from functools import partial

from botocore.exceptions import ClientError

from davbridge.store.s3.bucket.bucket import Bucket, sub_resource
from davbridge.store.s3.bucket.features import MODERN, Features
from davbridge.store.s3.messages.access_control import owner_in
from davbridge.store.s3.messages.errors import ERRORS, status_of
from davbridge.store.s3.messages.xml import Element, name_of, parsed
from davbridge.store.s3.object_requests.copied_attributes import READ_ACL, READ_LOCKS, READ_TAGS
from davbridge.store.s3.setup.side_by_side import side_by_side

_OWNERSHIP = "s3:GetBucketOwnershipControls"

_log = logging.getLogger(__name__)


class _DeniedError(Exception):
    """The credentials lack the right to ask."""


def find_features(bucket: Bucket, canary: str, seconds: float) -> Features:
    """``canary``: the key of an object of davbridge's own. What can't be found out is as in
    MODERN."""
    asked: dict[str, Callable[[], Features]] = {
        "acls": partial(_acls, bucket, canary),
        "locks": partial(_locks, bucket, canary),
        "tags": partial(_tags, bucket, canary),
    }
    found = side_by_side(asked, seconds)
    acls, locks, tags = (found.get(name, MODERN) for name in asked)
    return Features(
        has_acls=acls.has_acls,
        has_locks=locks.has_locks,
        has_tags=tags.has_tags,
        owner=acls.owner,
        missing_rights=acls.missing_rights | locks.missing_rights | tags.missing_rights,
    )


def _acls(bucket: Bucket, canary: str) -> Features:
    """AWS has no ownership controls where a bucket is older than them, and then it has ACLs. Other
    stores have ACLs if they show one."""
    try:
        controls = _root(bucket, "GetBucketOwnershipControls", None, "ownershipControls")
    except _DeniedError:
        _log.warning("copies don't keep ACLs, if the bucket has any: grant %s", _OWNERSHIP)
        return MODERN
    if controls is not None and name_of(controls) == "OwnershipControls":
        texts = [element.text for element in controls.iter()]
        if "BucketOwnerEnforced" in texts:
            return MODERN
    try:
        answer = bucket.transport.send(sub_resource("GetObjectAcl", canary, "acl"))
        return Features(has_acls=True, owner=owner_in(answer.content))
    except ERRORS as error:
        if _is_denied(error):
            return Features(has_acls=True, missing_rights=frozenset([READ_ACL]))
        return MODERN


def _locks(bucket: Bucket, canary: str) -> Features:
    """A HEAD shows locks only to those who may read them."""
    try:
        found = _root(bucket, "GetObjectLockConfiguration", None, "object-lock")
    except _DeniedError:
        return MODERN
    is_locking = found is not None and name_of(found) == "ObjectLockConfiguration"
    if not (is_locking and found is not None and "Enabled" in [each.text for each in found.iter()]):
        return MODERN
    missing = set()
    names = ("GetObjectRetention", "retention"), ("GetObjectLegalHold", "legal-hold")
    for right, (operation, name) in zip(READ_LOCKS, names, strict=True):
        try:
            _root(bucket, operation, canary, name)
        except _DeniedError:
            missing.add(right)
    return Features(has_locks=True, missing_rights=frozenset(missing))


def _tags(bucket: Bucket, canary: str) -> Features:
    try:
        found = _root(bucket, "GetObjectTagging", canary, "tagging")
    except _DeniedError:
        return Features(missing_rights=frozenset([READ_TAGS]))
    return Features(has_tags=found is not None and name_of(found) == "Tagging")


def _root(bucket: Bucket, operation: str, key: str | None, name: str) -> Element | None:
    """The root of the answer; None where the store has none. Raises _DeniedError."""
    try:
        return parsed(bucket.transport.send(sub_resource(operation, key, name)).content)
    except ERRORS as error:
        if _is_denied(error):
            raise _DeniedError from error
        return None


def _is_denied(error: Exception) -> bool:
    return isinstance(error, ClientError) and status_of(error) in (401, 403)
