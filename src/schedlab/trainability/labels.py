"""Labels of the arms that claims compare; ``params.yaml`` uses the same words."""

VANILLA = "Constant"
RESET = "Reset at each task"
SCHEDULED = "Noise-curvature (released setting)"
AS_WRITTEN = "Noise-curvature (formula as written)"
FINAL = "Constant at its final steps"
