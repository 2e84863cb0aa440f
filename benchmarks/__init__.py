"""Side-by-side measurements of nbops and the tools that do the same work; see README.md."""
