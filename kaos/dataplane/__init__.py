"""What runs inside pods: agents, the mock model, the relay."""
