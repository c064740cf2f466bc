"""Go sources of the programs that run on the node; `casemate engine install` builds them."""
