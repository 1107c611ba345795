"""What benchmarks of running services share: services and stand-ins that are started, and somebody who asks."""
