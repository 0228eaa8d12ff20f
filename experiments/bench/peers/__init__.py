"""What benchmarks run beside: the same work, as users of other libraries write it. Needs the extra `bench`."""
