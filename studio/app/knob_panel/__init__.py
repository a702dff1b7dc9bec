"""The knobs on the page: one inline Streamlit component of our own, which Python controls."""
