"""What all systems share: parameters, sweeps, claims, figures, reports, the notebook runner."""
