"""Labels of the schedulers that claims compare; ``params.yaml`` uses the same words."""

UNIFORM = "Uniform"
ATS = "ATS (fast)"
LITERAL = "ATS (paper)"
SELF_PACED = "Self-paced"
FOCAL = "Focal loss"
DAML = "DAML-style"
CLASS_PAIRS = "Class pairs (GCP)"
PAML = "PAML-style"
HARDEST = "Hardest first"
SIMILAR = "Most similar first"
ORACLE = "Oracle (clean tasks only)"
LOSS_ONLY = "ATS, loss only"
SIMILARITY_ONLY = "ATS, similarity only"
REWEIGHTED = "ATS, re-weighting"
UNTRAINED = "ATS, untrained"
BASS = "BASS"
DERTS = "DERTS"
ASR = "ASr"
MATCHED = "Uniform, equal compute"

HEURISTICS = (UNIFORM, SELF_PACED, FOCAL, DAML, CLASS_PAIRS, PAML)
"""What the paper compares ATS with."""

PUBLISHED = (
    *(ATS, LITERAL, *HEURISTICS, HARDEST, SIMILAR, ORACLE, LOSS_ONLY, SIMILARITY_ONLY),
    *(REWEIGHTED, UNTRAINED, BASS, DERTS, ASR, MATCHED),
)
"""All labels that are not a scheduler of one's own."""
