"""What the figures of the README come from: ``python -m bench [TABLE…]``, explained in ``docs/benchmarks.md``."""
