"""From a model file to its dispatch graph and its real kernels, with IREE's compiler.

A model enters as MLIR, ONNX or TFLite (:mod:`.importer`), is compiled once per target and grid
(:mod:`.compiler`, :mod:`.targets`), and read back as a table of commands (:mod:`.program`), as a
dispatch graph in JSON (:mod:`.graph`), or as kernels that this computer runs one workgroup at a
time (:mod:`.execute`). :mod:`.digits` makes the default models.
"""
