"""The space of seeds: the law of their norms, paths and means that respect it, and its users.

After *Norm-guided latent space exploration for text-to-image generation* (Samuel, Ben-Ari,
Darshan, Maron, Chechik; NeurIPS 2023, arXiv 2306.08687). The body and supplement of that paper
were not available: what follows the method is a reconstruction from its abstract and its public
code, whose arbitrary choices are named where they are departed from.
"""
