"""What the settings say of objects that davbridge writes: storage class, encryption, ACL.

Invariants: the storage class is for files alone; what davbridge writes for itself is small and
often rewritten, for which the cheap classes are dear. No property or journal can be read by others
than the bucket's owner, whatever the ACL of files is.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from davbridge.config import S3Settings
from davbridge.paths import DELIMITER, RESERVED_PREFIX

STORAGE_CLASS = "x-amz-storage-class"

ENCRYPTION = "x-amz-server-side-encryption"

KMS_KEY = f"{ENCRYPTION}-aws-kms-key-id"

BUCKET_KEY = f"{ENCRYPTION}-bucket-key-enabled"

_OF_THE_OWNER = frozenset({"private", "bucket-owner-read", "bucket-owner-full-control"})

_NOTHING: Mapping[str, str] = MappingProxyType({})


class NewObjects(NamedTuple):
    """Empty values leave it to the bucket."""

    storage_class: str = ""
    encryption: Mapping[str, str] = _NOTHING
    """As headers."""
    acl: str = ""

    @classmethod
    def of(cls, settings: S3Settings) -> "NewObjects":
        encryption: dict[str, str] = {}
        if settings.encryption:
            encryption[ENCRYPTION] = settings.encryption
        if settings.kms_key_id:
            encryption[KMS_KEY] = settings.kms_key_id
        if settings.bucket_key:
            encryption[BUCKET_KEY] = "true"
        return cls(settings.storage_class or "", encryption, settings.acl or "")

    def headers(self, key: str, *, is_file: bool = False) -> dict[str, str]:
        """For the request that writes an object, or begins to. ``is_file``: whether a client's file
        is written, which may have a storage class."""
        headers = {**self.encryption, **self.acl_headers(key)}
        if is_file and self.storage_class:
            headers[STORAGE_CLASS] = self.storage_class
        return headers

    def acl_headers(self, key: str) -> dict[str, str]:
        is_own = any(part.startswith(RESERVED_PREFIX) for part in key.split(DELIMITER))
        if not self.acl or (is_own and self.acl not in _OF_THE_OWNER):
            return {}
        return {"x-amz-acl": self.acl}


LEFT_TO_THE_BUCKET = NewObjects()
