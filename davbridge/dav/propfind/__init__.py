"""PROPFIND: from what it asks for to the XML of its responses::

query.py            the body of a request: which properties
live_properties.py  each live property's element
renderer.py         one DAV:response
response_cache.py   the responses of a page of members, rendered once
member_list.py      the responses of a collection's members, a page at a time
tree_responses.py   the responses of everything inside a collection
"""
