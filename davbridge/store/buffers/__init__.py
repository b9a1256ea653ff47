"""The memory for the bodies of uploads::

outgoing_body.py  the bytes of one body, in one buffer or in several
budget.py         MemoryBudget: makes buffers, within one budget for all uploads
pool.py           which upload gets the next piece of memory, and which one is refused
allocation.py     what one upload has of a pool, and how fast its client fills it
"""
