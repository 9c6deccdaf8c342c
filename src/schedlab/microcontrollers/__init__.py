"""Multi-core inference on microcontrollers: Ariel-ML's greedy queue, its peers, their bounds."""
