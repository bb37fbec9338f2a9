"""The report as one HTML page that needs nothing but itself.

In: reports and the sources by name. Out: the text of a page. Nothing is decided here, nothing read.
"""
