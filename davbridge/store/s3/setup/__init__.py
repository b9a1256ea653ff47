"""What happens once, when davbridge starts::

client.py             builds botocore's client
credentials.py        credentials that can be looked up again while davbridge runs
bucket_check.py       ensure_bucket: the bucket exists and can be used, or a StoreSetupError
diagnosis.py          why a bucket can't be used, in one line that says what to do
probe.py              what this store can do
etag_checks.py        whether listings and writes have the ETags that reads have
bucket_features.py    what objects in this bucket can have
side_by_side.py       requests in parallel, for a limited time
capability_checks.py  the requests by which the probe finds that out
"""
