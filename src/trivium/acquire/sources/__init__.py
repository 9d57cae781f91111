"""The kinds of source: a file each, named as the kind, with `Options` (its keys) and `fetch(options, job)`."""
