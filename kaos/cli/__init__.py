"""Arguments -> action -> output."""

import gc

# A command lives for a moment: collecting while its modules are loaded costs a tenth of its time and frees nothing.
gc.set_threshold(100_000)
