"""Skill or selection (SPEC §13): Sharpe statistics, overfitting, bootstrap, plateau, baselines and walk-forward."""
