"""Flat object stores: the protocol (base), and what implements it (s3, memory, embedded)."""
