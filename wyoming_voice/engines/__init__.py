"""Engines: synchronous model code behind small Protocols, run by a worker only; ``table`` says which there are."""
