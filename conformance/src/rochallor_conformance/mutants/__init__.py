"""The defects of sdk-contract/mutants.yaml as patches of the engine: data, and the process that carries one.

A patch edits the engine's source while it is loaded, so tables that are built at import and names that other modules
imported are patched too, and nothing has to be copied. An edit whose text is gone does not fit any more: that is an
error, never a survivor. Tables of patches, one module per area, are all that belongs here beside the machinery; they
are read by processes that have no engine, so nothing here may import one, but for `__main__`.
"""
