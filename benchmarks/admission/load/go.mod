module casemate.local/load

go 1.26
