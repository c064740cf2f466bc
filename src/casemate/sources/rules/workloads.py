"""Workloads: Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs and CronJobs."""

from __future__ import annotations

from casemate.model.kube.meta import LabelSelector
from casemate.model.kube.workloads import (
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    JobSpec,
    PodFailurePolicyRule,
    PodTemplateSpec,
    ReplicaSet,
    StatefulSet,
)
from casemate.sources.rules import formats as f
from casemate.sources.rules.labels import check_selector, check_template_metadata, matches
from casemate.sources.rules.place import Place
from casemate.sources.rules.pods import check_template
from casemate.sources.rules.schedule import wrong_schedule, wrong_time_zone
from casemate.sources.rules.volumes import check_claim

LONGEST_CRON_JOB_NAME = 52


def check_replicated(workload: Deployment | ReplicaSet | StatefulSet | DaemonSet, place: Place) -> None:
    """A workload that keeps Pods running."""
    spec = workload.spec
    here = place.at("spec")
    if spec is None:
        here.note("is missing", "add selector and template")
        return
    if spec.template is None:
        here.at("template").note("is missing", "add the Pods' template")
        return
    _check_match(spec.selector, spec.template, here)
    if isinstance(workload, StatefulSet):
        _check_stateful(workload, here)
        return
    check_template(spec.template, here.at("template"))
    _check_always(spec.template, here.at("template", "spec"))
    if isinstance(workload, Deployment):
        _check_deployment(workload, here)


def _check_deployment(workload: Deployment, place: Place) -> None:
    spec = workload.spec
    if spec is None:
        return
    if spec.progressDeadlineSeconds is not None and spec.progressDeadlineSeconds <= (spec.minReadySeconds or 0):
        place.at("progressDeadlineSeconds").note("must be more than minReadySeconds")
    strategy = spec.strategy
    if strategy is None or strategy.rollingUpdate is None:
        return
    here = place.at("strategy", "rollingUpdate")
    if strategy.type == "Recreate":
        here.note("contradicts type: Recreate", "remove one of them")
    zero = (0, "0%")
    if strategy.rollingUpdate.maxUnavailable in zero and strategy.rollingUpdate.maxSurge in zero:
        here.note("maxUnavailable and maxSurge are both 0, so nothing could ever be replaced")


def _check_stateful(workload: StatefulSet, place: Place) -> None:
    spec = workload.spec
    if spec is None:
        return
    made = frozenset(
        template.metadata.name for template in spec.volumeClaimTemplates if template.metadata and template.metadata.name
    )
    check_template(spec.template, place.at("template"), made)
    _check_always(spec.template, place.at("template", "spec"))
    for index, template in enumerate(spec.volumeClaimTemplates):
        here = place.at("volumeClaimTemplates", index)
        if not (template.metadata and template.metadata.name):
            here.at("metadata", "name").note("is missing", "it names the volume")
        else:
            here.at("metadata", "name").check(template.metadata.name, f.dns_label)
        check_claim(template.spec, here.at("spec"))


def check_job(job: Job, place: Place) -> None:
    """A Job."""
    if job.spec is None:
        place.at("spec").note("is missing", "add the Pods' template")
        return
    check_job_spec(job.spec, place.at("spec"))
    name = (job.metadata and job.metadata.name) or ""
    if name and job.spec.completionMode == "Indexed" and job.spec.completions:
        # Each Pod of an indexed Job has a host name with its index.
        place.at("metadata", "name").check(f"{name}-{job.spec.completions - 1}", f.dns_label)


def check_cron_job(cron_job: CronJob, place: Place) -> None:
    """A CronJob: its schedule and its Job's template."""
    name = (cron_job.metadata and cron_job.metadata.name) or ""
    if len(name) > LONGEST_CRON_JOB_NAME:
        place.at("metadata", "name").note(
            f"is longer than {LONGEST_CRON_JOB_NAME} characters: Jobs' names get a suffix"
        )
    spec = cron_job.spec
    here = place.at("spec")
    here.at("schedule").check(spec.schedule, wrong_schedule)
    if spec.timeZone is not None:
        here.at("timeZone").check(spec.timeZone, wrong_time_zone)
    template = spec.jobTemplate
    if template.metadata:
        check_template_metadata(template.metadata, here.at("jobTemplate", "metadata"))
    below = here.at("jobTemplate", "spec")
    if template.spec is None:
        below.note("is missing", "add the Pods' template")
        return
    if template.spec.selector and not template.spec.manualSelector:
        below.at("selector").note("is generated for each Job", "remove it")
    check_job_spec(template.spec, below)


def check_job_spec(spec: JobSpec, place: Place) -> None:
    """What a Job does, alone or as the template of a CronJob."""
    check_template(spec.template, place.at("template"))
    _check_job_restart(spec, place)
    if spec.manualSelector and spec.selector:
        _check_match(spec.selector, spec.template, place)
    elif spec.selector:
        place.at("selector").note("is generated for each Job", "remove it, or set manualSelector: true")
    indexed = spec.completionMode == "Indexed"
    if indexed and spec.completions is None:
        place.at("completions").note("is missing", "completionMode: Indexed needs it")
    for name in ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"):
        if getattr(spec, name) is not None and not indexed:
            place.at(name).note("needs completionMode: Indexed")
    if spec.maxFailedIndexes is not None and spec.backoffLimitPerIndex is None:
        place.at("backoffLimitPerIndex").note("is missing", "maxFailedIndexes needs it")
    _check_failure_policy(spec, place.at("podFailurePolicy"))
    _check_success_policy(spec, place.at("successPolicy"))


def _check_job_restart(spec: JobSpec, place: Place) -> None:
    policy = spec.template.spec.restartPolicy if spec.template.spec else "Never"
    here = place.at("template", "spec", "restartPolicy")
    if policy not in ("OnFailure", "Never"):
        here.note(f"a Job's Pods cannot restart {policy or 'Always, which unset means'}", "write OnFailure or Never")
    elif spec.podFailurePolicy and policy != "Never":
        here.note("podFailurePolicy needs restartPolicy: Never")


def _check_failure_policy(spec: JobSpec, place: Place) -> None:
    if spec.podFailurePolicy is None:
        return
    pod = spec.template.spec
    names = {each.name for each in (*pod.containers, *pod.initContainers)} if pod else set()
    if spec.podReplacementPolicy not in (None, "Failed"):
        place.note("podFailurePolicy needs podReplacementPolicy: Failed")
    for index, rule in enumerate(spec.podFailurePolicy.rules):
        here = place.at("rules", index)
        both = ("onExitCodes", "onPodConditions")
        here.exactly_one([name for name in both if getattr(rule, name)], ", ".join(both))
        if rule.action == "FailIndex" and spec.backoffLimitPerIndex is None:
            here.at("action").note("FailIndex needs backoffLimitPerIndex")
        _check_exit_codes(rule, names, here.at("onExitCodes"))


def _check_exit_codes(rule: PodFailurePolicyRule, names: set[str], place: Place) -> None:
    codes = rule.onExitCodes
    if codes is None:
        return
    if codes.containerName is not None and codes.containerName not in names:
        place.at("containerName").note(f'"{codes.containerName}" is no container of the template')
    here = place.at("values")
    if here.require(codes.values) and list(codes.values) != sorted(set(codes.values)):
        here.note("must rise, each value once")
    if codes.operator == "In" and 0 in codes.values:
        here.note("0 is success, and cannot be in a failure's values")


def _check_success_policy(spec: JobSpec, place: Place) -> None:
    if spec.successPolicy is None:
        return
    place.at("rules").require(spec.successPolicy.rules)
    for index, rule in enumerate(spec.successPolicy.rules):
        here = place.at("rules", index)
        if rule.succeededCount is None and rule.succeededIndexes is None:
            here.note("nothing is chosen", "set succeededCount or succeededIndexes")
        if rule.succeededCount is not None and not 0 <= rule.succeededCount <= (spec.completions or 0):
            here.at("succeededCount").note(f"{rule.succeededCount} must be between 0 and completions")


def _check_match(selector: LabelSelector, template: PodTemplateSpec, place: Place) -> None:
    here = place.at("selector")
    check_selector(selector, here)
    if not selector.matchLabels and not selector.matchExpressions:
        here.note("is empty", "select the template's labels")
        return
    labels = template.metadata.labels if template.metadata else {}
    if not matches(selector, labels):
        place.at("template", "metadata", "labels").note("do not match spec.selector", "give both the same labels")


def _check_always(template: PodTemplateSpec, place: Place) -> None:
    if template.spec is None:
        return
    if template.spec.restartPolicy not in (None, "", "Always"):
        place.at("restartPolicy").note(
            f"{template.spec.restartPolicy} must be Always: this workload keeps Pods running"
        )
    if template.spec.activeDeadlineSeconds is not None:
        place.at("activeDeadlineSeconds").note("is not for workloads that keep Pods running", "remove it")
