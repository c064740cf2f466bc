module casemate.dev/shop

go 1.24
