// casemate-pause is the process that holds a Pod's namespaces.
//
// It ends at once when asked (a kubelet allows the sandbox no grace), and it reaps: with shareProcessNamespace it is
// process 1 of every container of the Pod.
package main

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	debug.SetGCPercent(-1)
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			os.Exit(0)
		}
		reap()
	}
}

// reap collects every child that has ended; one signal may stand for several.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 || err == syscall.ECHILD {
			return
		}
	}
}
