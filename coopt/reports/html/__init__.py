"""A run as one page that opens anywhere, also without a network.

page         puts the parts together and writes the file
transcripts  what was written, read from the run's files and sampled
*_charts     charts as Vega-Lite specifications
graph        the graph with its gates, round by round
page.html.jinja, page.css, page.js: what the browser gets

docs/report.md says what was decided and why.
"""
