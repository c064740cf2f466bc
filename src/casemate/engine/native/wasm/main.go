// casemate-wasm is an OCI runtime for WebAssembly containers, called by containerd's runc shim in runc's place.
//
// Rules:
//
//  1. A container of this runtime runs a Wasm module or does not start. Its entry point must be a core module; native
//     programs, scripts and components are refused when the container is created, in the words that CRI hands on.
//  2. The module runs in a Wasm engine (wazero), and that engine in a container that runc makes, with the Pod's
//     namespaces, cgroup, user and seccomp profile. The module's boundary is the Wasm sandbox; the container is the second.
//  3. The module sees the container's file system (image and volumes) as its own, and nothing else: engine.go confines
//     itself to it before the module is loaded, so that neither /proc nor a device is in reach of any path or link.
//  4. `exec` is refused: a module is the only program of its container.
//  5. The Pod's own sandbox container (pause) is ours and runs natively, as under every handler.
//  6. Everything else is runc's, unchanged.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const version = "casemate-wasm 1 (wazero 1.12.0)"

// inside is the first argument with which the container's process is started: this program as the engine.
const inside = "run-module"

// invocation is a call in the manner of runc: global flags, a command, its flags.
type invocation struct {
	command string
	bundle  string
	log     string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == inside {
		os.Exit(runModule())
	}
	if len(os.Args) > 2 && os.Args[1] == aside {
		os.Exit(compileAside(os.Args[2]))
	}
	call := parse(os.Args[1:])
	switch call.command {
	case "--version", "-v":
		fmt.Println(version)
		return
	case "create", "run":
		refuseOn(prepare(call.bundle), call)
	case "exec":
		refuseOn(fmt.Errorf("exec is refused: a Wasm container has no program but its module"), call)
	}
	refuseOn(becomeRunc(), call)
}

// valued are the flags of runc whose value is the next argument.
var valued = map[string]bool{"root": true, "log": true, "log-format": true, "criu": true, "rootless": true, "bundle": true, "b": true}

func parse(arguments []string) invocation {
	call := invocation{bundle: "."}
	for i := 0; i < len(arguments); i++ {
		name, value, joined := strings.Cut(strings.TrimLeft(arguments[i], "-"), "=")
		if !strings.HasPrefix(arguments[i], "-") {
			if call.command == "" {
				call.command = arguments[i]
			}
			continue
		}
		if call.command == "" && (name == "version" || name == "v") {
			call.command = "--version"
		}
		if valued[name] && !joined && i+1 < len(arguments) {
			i++
			value = arguments[i]
		}
		switch name {
		case "bundle", "b":
			call.bundle = value
		case "log":
			call.log = value
		}
	}
	return call
}

func becomeRunc() error {
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{runc}, os.Args[1:]...), os.Environ())
}

// refuseOn ends with an error, where there is one, and leaves it where the shim looks for the runtime's last words.
func refuseOn(err error, call invocation) {
	if err == nil {
		return
	}
	message := "casemate-wasm: " + err.Error()
	fmt.Fprintln(os.Stderr, message)
	if call.log != "" {
		entry, _ := json.Marshal(map[string]string{"level": "error", "msg": message, "time": time.Now().Format(time.RFC3339)})
		if file, err := os.OpenFile(filepath.Clean(call.log), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			file.Write(append(entry, '\n'))
			file.Close()
		}
	}
	os.Exit(1)
}
