package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	containerType    = "io.kubernetes.cri.container-type"
	listenAnnotation = "casemate.dev/wasm-listen"
	containerRoot    = "/rootfs"
	enginePath       = "/casemate-wasm"
	modulePath       = "/module.json"
	compiledPath     = "/compiled"
	wasmPage         = 64 << 10
)

// module is what the engine inside the container is told, in place of arguments and environment: those are the
// module's, and must not steer the engine's own runtime (GODEBUG and the like).
type module struct {
	Arguments   []string `json:"arguments"`
	Environment []string `json:"environment"`
	Directory   string   `json:"directory"`
	Listen      []int    `json:"listen"`
	MemoryPages uint32   `json:"memoryPages"`
	KeepBind    bool     `json:"keepBind"`
	Compiled    bool     `json:"compiled"`
}

// spec is the part of an OCI configuration that is read here; what is not is kept as it was.
type spec struct {
	Annotations map[string]string `json:"annotations"`
	Root        struct {
		Path     string `json:"path"`
		Readonly bool   `json:"readonly"`
	} `json:"root"`
	Process struct {
		Args         []string            `json:"args"`
		Env          []string            `json:"env"`
		Cwd          string              `json:"cwd"`
		Capabilities map[string][]string `json:"capabilities"`
	} `json:"process"`
	Mounts []mount `json:"mounts"`
	Linux  struct {
		Resources struct {
			Memory struct {
				Limit *int64 `json:"limit"`
			} `json:"memory"`
		} `json:"resources"`
	} `json:"linux"`
}

type mount map[string]any

func (m mount) text(key string) string {
	value, _ := m[key].(string)
	return value
}

// prepare turns a container's bundle into one that runs the engine on its module. Sandbox containers stay as they are.
func prepare(bundle string) error {
	bundle, err := filepath.Abs(bundle)
	if err != nil {
		return err
	}
	file := filepath.Join(bundle, "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var known spec
	if err := json.Unmarshal(text, &known); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if known.Annotations[containerType] == "sandbox" {
		return nil
	}
	if !filepath.IsAbs(known.Root.Path) {
		known.Root.Path = filepath.Join(bundle, known.Root.Path)
	}
	module, err := checkEntryPoint(known)
	if err != nil {
		return err
	}
	rewritten, err := rewrite(text, known, bundle, compiledForm(module))
	if err != nil {
		return err
	}
	return replace(file, rewritten)
}

// rewrite gives the container the engine's own small root, with the container's file system under /rootfs, and the
// module's compiled form, where there is one, under /compiled.
func rewrite(text []byte, known spec, bundle, compiled string) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	told, err := describe(known)
	if err != nil {
		return nil, err
	}
	told.Compiled = compiled != ""
	root := filepath.Join(bundle, "engine")
	if err := makeRoot(root, told); err != nil {
		return nil, err
	}
	whole := map[string]any{}
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, err
	}
	whole["root"] = map[string]any{"path": root, "readonly": true}
	whole["mounts"] = moveMounts(known, self, compiled)
	process, _ := whole["process"].(map[string]any)
	changeProcess(process, told.KeepBind)
	linux, _ := whole["linux"].(map[string]any)
	changeLinux(linux, known.Root.Readonly)
	return json.Marshal(whole)
}

func describe(known spec) (module, error) {
	told := module{Arguments: known.Process.Args, Environment: known.Process.Env, Directory: known.Process.Cwd}
	for _, port := range strings.Fields(strings.ReplaceAll(known.Annotations[listenAnnotation], ",", " ")) {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return told, fmt.Errorf("annotation %s: %q is no port", listenAnnotation, port)
		}
		told.Listen = append(told.Listen, int(number))
	}
	told.KeepBind = slices.Contains(known.Process.Capabilities["effective"], "CAP_NET_BIND_SERVICE")
	told.MemoryPages = pages(known.Linux.Resources.Memory.Limit)
	return told, nil
}

// pages is how much memory a module may have: its container's limit, so that growing past it fails in the module, and
// at most the 4 GiB that a 32-bit module can address.
func pages(limit *int64) uint32 {
	const most = 1 << 16
	if limit == nil || *limit <= 0 || *limit/wasmPage >= most {
		return most
	}
	return max(1, uint32(*limit/wasmPage))
}

func makeRoot(root string, told module) error {
	for _, folder := range []string{"", containerRoot, compiledPath, "/proc", "/dev", "/sys"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			return err
		}
	}
	text, err := json.Marshal(told)
	if err != nil {
		return err
	}
	// The container's user reads it; the bundle above is closed to everyone else.
	return errors.Join(
		os.WriteFile(filepath.Join(root, modulePath), text, 0o444),
		os.WriteFile(filepath.Join(root, enginePath), nil, 0o555),
	)
}

// moveMounts leaves kernel file systems to the engine and puts everything else under the module's root, without devices.
func moveMounts(known spec, self, compiled string) []mount {
	moved := []mount{
		{"destination": enginePath, "type": "bind", "source": self, "options": []string{"bind", "ro", "nosuid", "nodev"}},
		{"destination": containerRoot, "type": "bind", "source": known.Root.Path, "options": []string{"rbind", "nosuid", "nodev"}},
	}
	if compiled != "" {
		moved = append(moved, mount{"destination": compiledPath, "type": "bind", "source": compiled, "options": []string{"bind", "ro", "nosuid", "nodev"}})
	}
	for _, each := range known.Mounts {
		if !forEngine(each) {
			options, _ := each["options"].([]any)
			each["options"] = append(options, "nosuid", "nodev")
			each["destination"] = filepath.Join(containerRoot, filepath.Clean("/"+each.text("destination")))
		}
		moved = append(moved, each)
	}
	return moved
}

func forEngine(each mount) bool {
	if each.text("type") == "bind" || each.text("type") == "none" {
		return false
	}
	place := filepath.Clean("/" + each.text("destination"))
	top, _, _ := strings.Cut(strings.TrimPrefix(place, "/"), "/")
	return top == "proc" || top == "dev" || top == "sys"
}

// changeProcess makes the engine the process, with no more privilege than it needs to confine itself.
func changeProcess(process map[string]any, keepBind bool) {
	process["args"] = []string{enginePath, inside}
	process["env"] = []string{}
	process["cwd"] = "/"
	process["noNewPrivileges"] = true
	held := []string{"CAP_SYS_CHROOT"}
	if keepBind {
		held = append(held, "CAP_NET_BIND_SERVICE")
	}
	sets := map[string][]string{}
	for _, set := range []string{"bounding", "effective", "inheritable", "permitted", "ambient"} {
		sets[set] = held
	}
	process["capabilities"] = sets
}

// changeLinux allows the engine its chroot, drops devices that a privileged Pod would bring, and keeps a read-only root.
func changeLinux(linux map[string]any, readonly bool) {
	delete(linux, "devices")
	if readonly {
		paths, _ := linux["readonlyPaths"].([]any)
		linux["readonlyPaths"] = append(paths, containerRoot)
	}
	if seccomp, ok := linux["seccomp"].(map[string]any); ok {
		calls, _ := seccomp["syscalls"].([]any)
		seccomp["syscalls"] = append(calls, map[string]any{"names": []string{"chroot"}, "action": "SCMP_ACT_ALLOW"})
	}
}

func replace(file string, text []byte) error {
	fresh := file + ".new"
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, file)
}
