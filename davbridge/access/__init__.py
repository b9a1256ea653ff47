"""Who may: the users, and how they log in::

    authentication.py what stands before the drive
    hosts.py        where no login is needed: by which names the drive is asked for
    basic.py        HTTP Basic around a WSGI application
    logins.py       is this the user's password? answered once, then remembered for a while
    throttle.py     which logins have to wait because others failed
    verification.py which login is verified next
    failure_log.py  the log of failed logins
    passwords.py    hashes of passwords: argon2id and bcrypt

Must not know what is being accessed.
"""
