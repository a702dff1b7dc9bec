"""The model of the page, without Streamlit: workloads, results that take time, and the page's
state. The command line and notebooks use it too.
"""
