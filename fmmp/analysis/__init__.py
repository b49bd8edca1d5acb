"""What runs learnt, cost and differ in: curves, comparisons, operation counts, times, tables."""
