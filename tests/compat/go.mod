module casemate.dev/compat

go 1.26
