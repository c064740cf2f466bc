"""`casemate assess` beside kube-score and checkov on the same files.

Method:

- The files are made anew, the same each time: Deployments, StatefulSets, DaemonSets, Jobs and CronJobs with one to
  three containers, probes, environment, volumes, and all degrees of hardening, five workloads in a file, some with
  Services, Ingresses, NetworkPolicies and RuntimeClasses beside them, some 3 KB for each workload. *Of charts* means
  400 shapes, as in a cluster in which 400 charts are installed 25 times under different names, tags and settings; *all
  different* means that no two need be alike. casemate decides once for workloads that answer all its questions alike,
  so that the two differ.
- Every tool is a whole process, from its start to its end, on one processor (`sched_setaffinity`), with JSON as output
  into /dev/null. Time is that of the fastest of several runs; memory is the largest resident set of a run, of the
  process and its children.
- kube-score is the Go program of its module, given the files' names. checkov runs in an environment of its own, on the
  Kubernetes framework only, without network. Both look for other things than casemate does: what is compared is the
  way from files to a report.
- checkov takes minutes for what the others do in seconds. The smaller set is there so that all three read the same
  files.
"""
