"""Pod addresses, Services, names and host ports of one engine. IPv4 only."""
