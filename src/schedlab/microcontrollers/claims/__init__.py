"""The microcontroller claims, a module per stage.

The paper's tables and figures could not be obtained. What carries a published figure is what two
secondary sources cite; every other range is what scheduling theory or the measured instruction
counts predict, and was set before the runs.
"""
