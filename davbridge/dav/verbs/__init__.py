"""One module a verb: each a function from an Exchange to a Response, and nothing shared."""
