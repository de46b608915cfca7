"""What is measured, one command: `make bench`, or some of it: `make bench ARGS="cold warm"`.

Machines differ and are noisy, so every figure stands beside what it is compared to, measured in the same run, in
turns: medians of at least 7 rounds, and ratios of those. Load goes to 127.0.0.1 alone, and is bounded.
"""
