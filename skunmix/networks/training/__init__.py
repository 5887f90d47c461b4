"""Training of networks: loss, batches, schedules, and many networks as one stack."""
