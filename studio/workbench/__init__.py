"""What the page, the command line and notebooks ask for, without Streamlit: workloads, results that
take time, and the page's state.
"""
