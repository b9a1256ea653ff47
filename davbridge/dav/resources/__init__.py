"""What is at a path of the provider: the files and collections that request servers work on."""
