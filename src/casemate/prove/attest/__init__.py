"""Evidence of confidential VMs, verified offline against roots that the user trusts. Pure."""
