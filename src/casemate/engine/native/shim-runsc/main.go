// The launcher stands in for gVisor's containerd-shim-runsc-v1 and starts it where the shim cannot start itself.
//
// Rules (containerd's core/runtime/v2/README.md; pkg/shim of containerd; pkg/shim/v1/manager.go of gVisor):
//
//  1. containerd calls a shim with `start` in the bundle's folder. The shim binds a unix socket, starts itself again in
//     the background with that socket as descriptor 3, and prints the socket's address. gVisor's shim then lowers its OOM
//     score, which needs CAP_SYS_RESOURCE, and ends with an error where that is missing. The launcher tries, and goes on.
//  2. The address is printed plainly, which containerd 1.6 to 2.x all read (JSON only since 1.7).
//  3. On containerd 1.6 one shim serves a whole Pod, as runc's does: a container joins the shim of its sandbox. Later
//     ones get a shim per container, gVisor's own default: its shim answers `shutdown` with nothing while other containers
//     run, which containerd 2.x takes for a failure, and tries to stop the container for ever. Later ones are known by
//     MAX_SHIM_VERSION in the environment.
//  4. Any other action goes to gVisor's shim unchanged.
//  5. gVisor's shim and runsc are found next to the name that the launcher was called by (`shim`, `runsc`), whatever PATH
//     says.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	socketFolder     = "/run/containerd/s"
	sandboxID        = "io.kubernetes.cri.sandbox-id"
	maxShimVersion   = "MAX_SHIM_VERSION"
	shimOOMScore     = "-999"
	connectLimit     = 100 * time.Millisecond
	addressFile      = "address"
	processIDFile    = "shim.pid"
	containerSpec    = "config.json"
	socketMode       = 0o600
	socketFolderMode = 0o700
)

// request is what containerd asks for on the command line.
type request struct {
	namespace, address, id string
	debug                  bool
	action                 string
}

func main() {
	folder := filepath.Dir(os.Args[0])
	os.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	shim := filepath.Join(folder, "shim")
	asked := parse(os.Args[1:])
	if asked.action != "start" {
		fail(syscall.Exec(shim, os.Args, os.Environ()))
	}
	address, err := start(shim, asked)
	if err != nil {
		fail(err)
	}
	fmt.Print(address)
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "casemate-shim-runsc: %v\n", err)
	os.Exit(1)
}

func parse(arguments []string) request {
	var asked request
	flags := flag.NewFlagSet("shim", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&asked.namespace, "namespace", "", "")
	flags.StringVar(&asked.address, "address", "", "")
	flags.StringVar(&asked.id, "id", "", "")
	flags.BoolVar(&asked.debug, "debug", false, "")
	for _, ignored := range []string{"publish-binary", "bundle", "socket", "debug-socket"} {
		flags.String(ignored, "", "")
	}
	if flags.Parse(arguments) != nil {
		return request{} // -info, -v and whatever comes later: gVisor's shim knows
	}
	asked.action = flags.Arg(0)
	return asked
}

// start returns the address of the shim that serves the container whose bundle is the current folder.
func start(shim string, asked request) (string, error) {
	sandbox, err := shimOf(asked.id)
	if err != nil {
		return "", err
	}
	path := socketPath(asked, sandbox)
	address := "unix://" + path
	if connects(path) {
		return address, os.WriteFile(addressFile, []byte(address), 0o644)
	}
	listener, err := listen(path)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(addressFile, []byte(address), 0o644); err != nil {
		return "", err
	}
	if err := spawn(shim, asked, listener); err != nil {
		os.Remove(path)
		return "", err
	}
	return address, nil
}

// shimOf names the container whose shim serves this one: on containerd 1.6 its Pod's sandbox, else itself.
func shimOf(id string) (string, error) {
	if _, later := os.LookupEnv(maxShimVersion); later {
		return id, nil
	}
	text, err := os.ReadFile(containerSpec)
	if err != nil {
		return "", err
	}
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return "", fmt.Errorf("%s: %w", containerSpec, err)
	}
	if sandbox := spec.Annotations[sandboxID]; sandbox != "" {
		return sandbox, nil
	}
	return id, nil
}

// socketPath is where containerd's own shims put their socket; gVisor's shim removes it there when it ends.
func socketPath(asked request, sandbox string) string {
	parts := []string{asked.address, asked.namespace, sandbox}
	if asked.debug {
		parts = append(parts, "debug")
	}
	return fmt.Sprintf("%s/%x", socketFolder, sha256.Sum256([]byte(filepath.Join(parts...))))
}

func connects(path string) bool {
	connection, err := net.DialTimeout("unix", path, connectLimit)
	if err != nil {
		return false
	}
	connection.Close()
	return true
}

func listen(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), socketFolderMode); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, err
	}
	return listener.File()
}

func spawn(shim string, asked request, listener *os.File) error {
	arguments := []string{"-namespace", asked.namespace, "-address", asked.address, "-id", asked.id}
	if asked.debug {
		arguments = append(arguments, "-debug")
	}
	command := exec.Command(shim, arguments...)
	command.ExtraFiles = []*os.File{listener}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Env = withoutProcessors(os.Environ())
	if err := command.Start(); err != nil {
		return err
	}
	pid := strconv.Itoa(command.Process.Pid)
	if err := os.WriteFile(processIDFile, []byte(pid), 0o644); err != nil {
		command.Process.Kill()
		return err
	}
	// Refused without CAP_SYS_RESOURCE: the shim is then as likely to be killed for memory as containerd is.
	_ = os.WriteFile("/proc/"+pid+"/oom_score_adj", []byte(shimOOMScore), 0)
	return nil
}

// withoutProcessors fixes the shim's number of processors at the two that every shim of containerd has.
func withoutProcessors(environment []string) []string {
	kept := make([]string, 0, len(environment)+1)
	for _, each := range environment {
		if !strings.HasPrefix(each, "GOMAXPROCS=") {
			kept = append(kept, each)
		}
	}
	return append(kept, "GOMAXPROCS=2")
}
