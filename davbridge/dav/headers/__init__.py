"""Headers and URLs: pure functions between their text and values::

urls.py            URLs ↔ resource paths: request target, Destination, hrefs
if_header.py       the grammar of the If header
ranges.py          Range
validators.py      entity tags and dates
media_types.py     the media types of suffixes
content_type.py    content types, and the headers that keep browsers from running a file
upload_headers.py  the times and checksums that clients send with a file
"""
