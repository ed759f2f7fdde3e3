"""The console: screens and widgets over the same actions as the `kaos` command.

Nothing here speaks to Kubernetes by itself: watches fill the store, actions do the rest, on threads.
"""
