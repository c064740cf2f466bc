"""The words of casemate as immutable data. Imports nothing else of ours."""
