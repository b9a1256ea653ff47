"""WSGI middleware: layers around the application that any server could run::

readiness.py   the URL that load balancers ask
access_log.py  one line per request
"""
