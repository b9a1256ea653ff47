"""PROPFIND: from the query to the XML of its responses."""
