"""Start-to-running of many Pods: ours, the same CRI calls made raw, and `podman kube play`.

Method:

1. The Pod is one busybox container that sleeps; its image is there before the clock starts. No requests, no probes.
2. *Ours* is `casemate run --wait ready`, as a user calls it. Two times: of the engine (from when the run
   was accepted until its last Pod ran, as the supervisor reports it), and of the whole command with its Python start.
3. *Raw* makes the same calls on the same containerd with the very configurations that ours sends (RunPodSandbox,
   CreateContainer, StartContainer), from one process that was started before the clock, with 4 and with 8 Pods in
   flight; the faster of the two counts.
4. *podman* is one `podman kube play` of the same Pods with the same low-level runtime, in a mount namespace and with
   limits that let it work on this kind of machine.
5. The three take turns; each figure is the median of its rounds. All Pods are removed between turns.
6. The supervisor's memory is its PSS with all Pods running less its PSS before, by Pod; its CPU time is of start and
   stop together, by Pod.
"""
