"""Who makes a pool go, and how: the driver around the scheduler, the pump below it, and signals between steps."""
