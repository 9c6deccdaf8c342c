"""Serving of large language models: an inference engine in discrete events and its schedulers."""
