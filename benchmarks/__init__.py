"""Measurements of casemate beside raw baselines and peers."""
