"""One module a verb: each a function from a Context to a Response, and nothing shared."""
