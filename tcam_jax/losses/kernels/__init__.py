"""The dense Gaussian kernel of the CRF losses: one energy, three ways to evaluate it."""
