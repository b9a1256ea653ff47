"""One request to S3: signed, sent, retried, and its response::

transport.py       Transport: sends a request until it is done or has failed
request.py         a request before it is signed
signed_request.py  the same as it is sent; until when it is valid
signing.py         AWS Signature Version 4
store_clock.py     the store's time, which decides whether a request has expired
retries.py         which requests are sent again, and when
failures.py        what a failed request has done, or may still do
health.py          whether the store answers at all
address.py         where the bucket is, as botocore knows it
connections.py     connections that are reused and shared
opener.py          opens them: TLS, proxies, time limits
http_response.py   an HTTP/1.1 response, read as it comes
"""
