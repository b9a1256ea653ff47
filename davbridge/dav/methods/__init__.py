"""The verbs: each a function from a Context to a Response, that raises RefusalError or StoreError.

GET and HEAD, COPY and MOVE, LOCK and UNLOCK have a module together. What several verbs need is in
the room around: guards, conditions, multistatus. Verbs must not know one another.
"""
