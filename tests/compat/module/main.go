// What a Wasm module may do. The last line that it writes is the verdict: works, differs or fails.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"casemate.dev/compat/probe"
)

func main() {
	probe.Main(map[string]func([]string){
		"run": run, "read": read, "unseen": unseen, "closed": closed, "keep": keep, "grow": probe.Grow, "serve": serve,
		"await": await,
	})
}

func run([]string) { probe.Verdict("works", "a module runs") }

// read PATH: the file must be there.
func read(paths []string) {
	text, failed := os.ReadFile(paths[0])
	if failed != nil {
		probe.Verdict("fails", "read %s: %v", paths[0], failed)
	}
	probe.Verdict("works", "%s has %d bytes", paths[0], len(text))
}

// unseen PATH: what a native program would see, a module should not.
func unseen(paths []string) {
	if _, failed := os.ReadFile(paths[0]); failed != nil {
		probe.Verdict("differs", "read %s: %v", paths[0], failed)
	}
	probe.Verdict("works", "%s can be read", paths[0])
}

// closed PATH: a socket or device.
func closed(paths []string) {
	file, failed := os.Open(paths[0])
	if failed == nil {
		_, failed = file.Read(make([]byte, 64))
	}
	if failed != nil {
		probe.Verdict("fails", "open %s: %v", paths[0], failed)
	}
	probe.Verdict("works", "%s can be read", paths[0])
}

func keep(paths []string) {
	if failed := os.WriteFile(paths[0], []byte("kept"), 0o644); failed != nil {
		probe.Verdict("fails", "write %s: %v", paths[0], failed)
	}
	read(paths)
}

func serve([]string) {
	descriptor, failed := strconv.Atoi(os.Getenv("CASEMATE_LISTEN_8080"))
	if failed != nil {
		probe.Verdict("fails", "no listener: %v", failed)
	}
	listener, failed := net.FileListener(os.NewFile(uintptr(descriptor), "8080"))
	if failed != nil {
		probe.Verdict("fails", "listen: %v", failed)
	}
	go func() {
		time.Sleep(8 * time.Second)
		os.Exit(0)
	}()
	http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "served") }))
}

// await PATH: a probe's command should make the file.
func await(paths []string) {
	for range 40 {
		if _, failed := os.Stat(paths[0]); failed == nil {
			probe.Verdict("works", "the probe's command ran")
		}
		time.Sleep(250 * time.Millisecond)
	}
	probe.Verdict("fails", "the probe's command did not run in time")
}
