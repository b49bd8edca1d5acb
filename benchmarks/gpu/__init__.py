"""What `bash benchmarks/gpu.sh` runs."""
