"""Run functions in worker processes. Read `worker` (the caller's side) and `worker_main` (the
process), then `backend` (this machine or a Dask cluster) and `fair_queue` (turns between
sessions)."""
