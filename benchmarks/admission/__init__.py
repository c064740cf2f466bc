"""How fast policies are judged, and what they cost those who create Pods.

Method:

- `python -m benchmarks.admission` measures all of it in some fifteen minutes, once the peers are built. The machine
  should have nothing else to do: the load before and after each part stands beside its figures (what is measured is
  itself a load). Where other work cannot be kept away, ratios in one run and processor time are to be trusted more than
  latencies and requests/s.
- Everything runs on one machine, in one run; the tools take turns, in another order each round. Figures are medians of
  the rounds, with the lowest and highest in brackets.
- The policy is six lines: in namespaces with a label, gVisor is the default, gVisor and classes of virtual machines
  are permitted. Kyverno and Gatekeeper get it written by hand as their users would (`benchmarks/admission/data`), and
  for Pods only: less than casemate judges, which reads every container, annotation and kind.
- 500 Pods with two containers, AdmissionReviews of 5 KB. Two in five name gVisor, two name no class and are changed,
  one names runc and is denied. Every answer is compared with what it must be; *wrong* counts those that are not.
- Each tool is one replica, as its own process tree, with what is not answering turned off where it can be (reports,
  events, audit). Logs are as each keeps them by default; casemate logs each denial, the others do not.
- *Direct* are AdmissionReviews over HTTPS to both of a webhook's endpoints, turn about, over 8 kept connections, each
  of which sends the next when the last is answered; *with pauses*, 20 ms after that. *API server* are dry-run Pod
  creations on a real kube-apiserver with etcd, which calls the webhook twice for each. *none* is the same without any
  webhook.
- With pauses a process sleeps between two requests, and finds the processor's caches full of others' work when it
  wakes: the same request then takes it several times as long. That is what costs more through the API server, too,
  whose calls come over kept connections and one by one.
- *Per core* is what was answered, divided by the processor time that the webhook's processes took, all of their
  threads and children together. Latencies are what the caller sees, at full load. Memory is what is resident at the end
  of a round, shared pages once.
"""
