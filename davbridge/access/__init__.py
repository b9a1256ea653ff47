"""Authentication: the users, and how they log in. Knows nothing of what is being accessed::

authentication.py  puts the login, or the host check, around an application
basic.py           HTTP Basic as WSGI middleware
hosts.py           the host check of a drive that needs no login
logins.py          checks names and passwords; caches the results
throttle.py        which logins must wait, because others failed
verification.py    which login is verified next
failure_log.py     the log of failed logins
passwords.py       password hashes: argon2id and bcrypt
"""
