// What a Wasm module may do. The last line that it writes is the verdict: works, differs or fails.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	tests := map[string]func([]string){
		"run": run, "read": read, "unseen": unseen, "closed": closed, "keep": keep, "grow": grow, "serve": serve,
		"await": await,
	}
	tests[os.Args[1]](os.Args[2:])
}

func verdict(word, format string, values ...any) {
	fmt.Printf("%s: %s\n", word, fmt.Sprintf(format, values...))
	os.Exit(0)
}

func run([]string) { verdict("works", "a module runs") }

// read PATH: the file must be there.
func read(paths []string) {
	text, failed := os.ReadFile(paths[0])
	if failed != nil {
		verdict("fails", "read %s: %v", paths[0], failed)
	}
	verdict("works", "%s has %d bytes", paths[0], len(text))
}

// unseen PATH: what a native program would see, a module should not.
func unseen(paths []string) {
	if _, failed := os.ReadFile(paths[0]); failed != nil {
		verdict("differs", "read %s: %v", paths[0], failed)
	}
	verdict("works", "%s can be read", paths[0])
}

// closed PATH: a socket or device.
func closed(paths []string) {
	file, failed := os.Open(paths[0])
	if failed == nil {
		_, failed = file.Read(make([]byte, 64))
	}
	if failed != nil {
		verdict("fails", "open %s: %v", paths[0], failed)
	}
	verdict("works", "%s can be read", paths[0])
}

func keep(paths []string) {
	if failed := os.WriteFile(paths[0], []byte("kept"), 0o644); failed != nil {
		verdict("fails", "write %s: %v", paths[0], failed)
	}
	read(paths)
}

func grow([]string) {
	kept := [][]byte{}
	for len(kept) < 16 {
		block := make([]byte, 16<<20)
		for at := 0; at < len(block); at += 4096 {
			block[at] = 1
		}
		kept = append(kept, block)
	}
	verdict("fails", "%d MiB over its limit", len(kept)*16)
}

func serve([]string) {
	descriptor, failed := strconv.Atoi(os.Getenv("CASEMATE_LISTEN_8080"))
	if failed != nil {
		verdict("fails", "no listener: %v", failed)
	}
	listener, failed := net.FileListener(os.NewFile(uintptr(descriptor), "8080"))
	if failed != nil {
		verdict("fails", "listen: %v", failed)
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
			verdict("works", "the probe's command ran")
		}
		time.Sleep(250 * time.Millisecond)
	}
	verdict("fails", "the probe's command did not run in time")
}
