"""The content of S3's requests and responses. Nothing here sends any::

headers.py       headers ↔ ObjectRow, ObjectInfo, Attributes, Condition
xml.py           XML bodies, and the errors that some of them are
listing_page.py  a page of a listing
checksums.py     checksums in headers
errors.py        botocore's exceptions → StoreErrors
"""
