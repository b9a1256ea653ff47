"""Junk: the files that desktops write beside people's own, such as ``.DS_Store`` and ``Thumbs.db``.

::

    names.py      which names are those of junk
    namespace.py  a namespace that keeps new junk out of the bucket
    copying.py    COPY and MOVE of what is in memory
    files.py      the junk, in bounded memory
    writer.py     an upload that stays in memory as long as it is small

Invariants: only files are junk, and no content that was in the bucket is ever moved to memory.
"""
