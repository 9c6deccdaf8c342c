"""From a model file to its dispatch graph and its real kernels, with IREE's compiler.

A model enters as MLIR, ONNX or TFLite (:mod:`.importer`), is compiled once per target and grid
(:mod:`.compiler`, :mod:`.targets`), and read back as a table of commands (:mod:`.program`), as a
dispatch graph in JSON (:mod:`.graph`), or as kernels that this computer runs one workgroup at a
time (:mod:`.execute`). :mod:`.digits` makes the default models::

    compiled = compile_model(Path("mine.onnx"), target="rv32imac", grid="threads=2")
    dispatch_graph(compiled)["dispatches"]  # grids, tiles, loop extents, concurrent groups

    model = HostModel(compile_model(Path("mine.onnx")))
    model.run(image, cores=2)  # Ariel-ML's greedy queue, for real
    model.workgroup_times(image)  # nanoseconds of every workgroup

Compiled models are kept in the user's cache folder, or where ``SCHEDLAB_COMPILE_CACHE`` says.
"""
