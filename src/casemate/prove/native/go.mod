module casemate.dev/probe

go 1.26
