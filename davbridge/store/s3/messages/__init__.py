"""The content of S3's requests and responses. Nothing here sends any::

headers.py         headers ↔ ObjectRow, ObjectInfo, Attributes, Condition
xml.py             XML bodies, and the errors that some of them are
listing_page.py    a page of a listing
access_control.py  an object's ACL as headers
tags.py            an object's tags as a header
checksums.py       checksums in headers
errors.py          botocore's exceptions → StoreErrors
"""
