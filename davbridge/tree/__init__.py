"""A namespace of collections and members over the flat keys of an ObjectStore::

    namespace.py    what can be done: the room's only door
    resource.py     what is shown at a path
    listing/view.py what there is
    listing/classification.py which rows of a listing are members
    listing/members.py the members of a collection, for who has many to deal with
    bulk.py         the seed's bulk metadata

    writes/creation.py what a new file or collection needs
    writes/parents.py what a write owes the collection that it happens in
    listing/markers.py what makes a collection of keys
    reserved_names.py the names of davbridge's own objects
    writes/quota.py the quota, what is claimed of it, and the sizes that are refused
    writes/usage.py how many bytes there are
    writes/writer.py a file on its way in, within its limits
    writes/commits.py the moment in which it becomes visible

    properties/property_store.py what belongs to a resource and isn't its bytes
    properties/sidecars.py dead properties: one sidecar a collection
    properties/sidecar_format.py its content
    properties/client_metadata.py what a client told of a version
    late_properties.py
                    properties that are set in a folder while it is moved

    operations/operations.py COPY, MOVE, DELETE: who waits for whom
    path_locks.py   operations on the same trees take turns, and writes and locks in them
    operations/retries.py why an attempt is made again, and how often
    operations/preconditions.py what a client made its operation depend on
    operations/attempts.py one attempt
    operations/planner.py from two paths to a plan
    operations/plan.py which keys go where
    operations/steps.py what a new operation and a resumed one do alike
    operations/copies.py the copies, verified
    operations/clashes.py files that replace collections, and the reverse
    operations/removals.py what goes, in an order that loses nothing
    operations/batches.py deletes of many keys, in batches
    checked_deletes.py
                    deletes of what a look has just shown
    operations/undo.py takes back what a COPY or MOVE that failed has made
    operations/parallel_requests.py requests side by side
    operations/progress.py how far each operation is
    rows.py         what is in the store right now
    reading.py      whole bodies

    journal/entry.py what is written down of an operation before it begins
    journal/journals.py where, and the leases on it
    journal/leases.py who is at work on which
    journal/related_moves.py operations that have to end before another begins
    journal/validation.py what a journal may be about
    journal/recovery.py looks for what has been left
    journal/resumption.py finishes it
    journal/remaining_work.py what is left to be done of a plan

Must not know WebDAV: locks, conditions as headers and status codes are dav's; nor how a store is
asked, or what is kept of its answers.
"""
