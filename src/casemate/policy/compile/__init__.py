"""Isolation policies for admission that others run: the API server itself, Kyverno, Gatekeeper."""
