"""Words that every room uses: errors, frames, rates, options, rings, child processes, logs."""
