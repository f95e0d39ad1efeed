import gc

# A start makes a hundred thousand objects that stay, and hardly anything makes cycles: looking for
# them after every 2,000, as Python does, is a twentieth of a cold start (bench/cold_start.py).
gc.set_threshold(100_000, 10, 10)
