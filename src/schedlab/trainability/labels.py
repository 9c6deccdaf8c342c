"""Labels of the arms that claims compare, as in ``params.yaml``, and what methods are called."""

VANILLA = "Constant"
RESET = "Reset at each task"
SCHEDULED = "Noise-curvature (released setting)"
AS_WRITTEN = "Noise-curvature (formula as written)"
FINAL = "Constant at its final steps"

METHODS = {
    "plain": "No regulariser",
    "l2": "L2",
    "wasserstein": "Wasserstein",
    "crelu": "CReLU",
}
