"""Learning when to communicate and how to read silence: a reconstruction of CALM.

Of *The Silence that Speaks: Neural Estimation via Communication Gaps* (Aggarwal, Maity and Başar,
arXiv 2512.01056) the problem is known, the networks and settings are not. What is here follows the
exact best responses of that problem; every choice beyond them is ours.

Members: one training run each, all at once. A member has its own networks, random streams and
price of a message, and learns what it would learn alone.
"""
