"""What should be, given what is: pure functions from a resource and the world around it to children and status."""
