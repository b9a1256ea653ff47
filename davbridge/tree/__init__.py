"""A namespace of collections and members over the flat keys of an ObjectStore."""
