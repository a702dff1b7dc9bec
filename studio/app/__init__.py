"""The Streamlit page, the only package that imports Streamlit: views, their tabs and controls, and
the session that connects them to the workbench.
"""
