"""The Go source of the prober, `casemate-probe`: the only program in the containers that prove a boundary."""
