"""An application whose migrations the matrix runs forwards and backwards by each strategy."""
