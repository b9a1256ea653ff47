"""The threads that serve connections, and how many requests may wait::

    pool.py           WorkerPool: which thread serves which connection, and when
    threads.py        starts the threads, counts them, and waits for their end
    thread_states.py  which threads work on a connection, and which only wait
    admission.py      how many requests may wait, and for what

A connection is anything that implements `ServedConnection`: nothing here knows HTTP or sockets.
"""
