"""What the paper says, as data.

Its body, tables and appendix could not be had as text. Directions come from its abstract and from
summaries; what is published as a number, "up to 13 % and 18 %", belongs to data that nobody may
hand on, and is claimed for those alone.
"""
