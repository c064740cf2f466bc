"""`casemate policy`: check, test, explain, impact."""

from __future__ import annotations

from cyclopts import App

app = App(name="policy", help="Check, test and explain isolation policies, and say what they would do.")
app.command("casemate.cli.policy_explain:explain", name="explain", help="Say what becomes of an object, and why.")
app.command("casemate.cli.policy_check:check", name="check", help="Find what is wrong with policies and exceptions.")
app.command("casemate.cli.policy_compile:compile_", name="compile", help="Write policies for others to enforce.")
app.command("casemate.cli.policy_test:compare", name="test", help="Compare verdicts with those that a suite expects.")
app.command("casemate.cli.policy_impact:impact", name="impact", help="Say what policies would change, deny and cost.")
