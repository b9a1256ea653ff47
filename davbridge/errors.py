"""The errors of the store and the namespace, as one tree of exceptions.

::

    StoreError                      a store or the namespace has refused or failed
    ├── NotFoundError               no object at the key; no resource at the path
    ├── PreconditionFailedError     a condition on an ETag, or on absence, did not hold
    ├── AccessDeniedError           the store's credentials don't allow it
    │   └── MissingRightError       and it is known which right they lack
    ├── RejectedError               the store refuses to give this object, whoever asks
    ├── ArchivedError               the object is in cold storage, and can't be read until restored
    ├── InvalidNameError            a path or key that can't be represented, or is reserved
    ├── TooLargeError               over the store's or the configured size limit
    ├── OutOfSpaceError             the store or the quota has no room
    ├── UnavailableError            the store didn't answer, or asked to slow down, after retries
    │   └── DeadlinePassedError     the deadline had passed, so the request was not sent
    ├── TruncatedError              a stream ended before its promised length, or changed version
    ├── NotACollectionError         a collection was needed, the path names something else
    ├── IsACollectionError          a non-collection was needed, the path names a collection
    ├── ParentMissingError          the parent collection of the path doesn't exist
    ├── AlreadyExistsError          something is at the path already
    ├── OverlappingPathsError       source and target are the same, or one is inside the other
    └── StoreSetupError             the store can't be used as it is configured; says what to do

Invariants: this module imports nothing of the package, and knows neither HTTP nor botocore. Errors
of other libraries are translated once, at the boundary, with ``raise … from``: the cause stays
chained.
"""


class StoreError(Exception):
    """The root. ``str(error)`` is one line that a person can act on."""


class NotFoundError(StoreError):
    """No object at the key, or no resource at the path (the seed's NoSuchFilesytemObjectError)."""


class PreconditionFailedError(StoreError):
    """The object has another ETag than was asked for, or exists although it must not."""


class AccessDeniedError(StoreError):
    """The store's credentials don't allow the request."""


class MissingRightError(AccessDeniedError):
    """The same, and it is known which right is missing. The message names it, and nothing that
    clients must not learn."""


class RejectedError(StoreError):
    """The store refuses to give the object, for a reason that trying later doesn't change: it needs
    a customer's key, for one."""


class ArchivedError(StoreError):
    """The object is in cold storage: somebody has to restore it before it can be read."""


class InvalidNameError(StoreError):
    """The name can't be a key, can't be a path, or is reserved for davbridge itself."""


class TooLargeError(StoreError):
    """The body exceeds what the store or the settings allow for one object."""


class OutOfSpaceError(StoreError):
    """The store, or the configured quota, has no room left."""


class UnavailableError(StoreError):
    """The store didn't answer usefully in time, despite retries. Trying later may help."""


class DeadlinePassedError(UnavailableError):
    """The deadline has passed: the request was not sent."""


class TruncatedError(StoreError):
    """A stream ended early, or its object was replaced while it was read."""


class NotACollectionError(StoreError):
    """The operation needs a collection, and the path names something else."""


class IsACollectionError(StoreError):
    """The operation needs a non-collection, and the path names a collection."""


class ParentMissingError(StoreError):
    """The collection that should hold the resource doesn't exist."""


class AlreadyExistsError(StoreError):
    """Something is at the path already."""


class OverlappingPathsError(StoreError):
    """The source and the target of an operation are the same, or one is inside the other."""


class StoreSetupError(StoreError):
    """Wrong endpoint, credentials, region or bucket: found at the start, reported in one line."""
