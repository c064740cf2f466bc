package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const configuration = `{
	"ociVersion": "1.0.2",
	"unknown": {"kept": true},
	"root": {"path": "rootfs", "readonly": true},
	"process": {
		"args": ["/app.wasm", "x"], "env": ["A=1", "GODEBUG=x"], "cwd": "/work",
		"capabilities": {"effective": ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]}
	},
	"annotations": {"casemate.dev/wasm-listen": "8080, 9090"},
	"mounts": [
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev/shm", "type": "bind", "source": "/shm", "options": ["rbind", "rw"]},
		{"destination": "/data/../etc/hosts", "type": "bind", "source": "/hosts", "options": ["rbind", "ro"]}
	],
	"linux": {"devices": [{"path": "/dev/sda"}], "resources": {"memory": {"limit": 67108864}}, "seccomp": {"syscalls": []}}
}`

func rewritten(t *testing.T) (map[string]any, module) {
	t.Helper()
	bundle := t.TempDir()
	var known spec
	if err := json.Unmarshal([]byte(configuration), &known); err != nil {
		t.Fatal(err)
	}
	known.Root.Path = filepath.Join(bundle, "rootfs")
	text, err := rewrite([]byte(configuration), known, bundle, "")
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	var told module
	description, err := os.ReadFile(filepath.Join(bundle, "engine", modulePath))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(description, &told); err != nil {
		t.Fatal(err)
	}
	return whole, told
}

func TestTheModulesArgumentsAndEnvironmentAreNotTheEngines(t *testing.T) {
	whole, told := rewritten(t)
	process := whole["process"].(map[string]any)
	if args := process["args"].([]any); args[0] != enginePath || args[1] != inside || len(args) != 2 {
		t.Errorf("the engine's arguments are %v", args)
	}
	if len(process["env"].([]any)) != 0 {
		t.Errorf("the engine's environment is %v", process["env"])
	}
	if !slices.Equal(told.Arguments, []string{"/app.wasm", "x"}) || told.Directory != "/work" || told.Environment[1] != "GODEBUG=x" {
		t.Errorf("the module is told %+v", told)
	}
}

func TestPortsMemoryAndTheRightToBindAreTheContainers(t *testing.T) {
	_, told := rewritten(t)
	if !slices.Equal(told.Listen, []int{8080, 9090}) || told.MemoryPages != 1024 || !told.KeepBind {
		t.Errorf("the module is told %+v", told)
	}
}

func TestOnlyKernelFileSystemsStayOutsideOfTheModulesRoot(t *testing.T) {
	whole, _ := rewritten(t)
	places := []string{}
	for _, each := range whole["mounts"].([]any) {
		mounted := each.(map[string]any)
		place := mounted["destination"].(string)
		places = append(places, place)
		if strings.HasPrefix(place, containerRoot) {
			options, _ := json.Marshal(mounted["options"])
			if !strings.Contains(string(options), "nodev") || !strings.Contains(string(options), "nosuid") {
				t.Errorf("%s has options %s", place, options)
			}
		}
	}
	if want := []string{enginePath, "/rootfs", "/proc", "/rootfs/dev/shm", "/rootfs/etc/hosts"}; !slices.Equal(places, want) {
		t.Errorf("mounts are %v, not %v", places, want)
	}
}

func TestPrivilegesOfAPrivilegedPodAreGone(t *testing.T) {
	whole, _ := rewritten(t)
	process, linux := whole["process"].(map[string]any), whole["linux"].(map[string]any)
	for set, names := range process["capabilities"].(map[string]any) {
		if held, _ := json.Marshal(names); string(held) != `["CAP_SYS_CHROOT","CAP_NET_BIND_SERVICE"]` {
			t.Errorf("%s is %s", set, held)
		}
	}
	if process["noNewPrivileges"] != true || linux["devices"] != nil {
		t.Errorf("noNewPrivileges %v, devices %v", process["noNewPrivileges"], linux["devices"])
	}
}

func TestAReadOnlyRootStaysReadOnlyAndUnknownFieldsStay(t *testing.T) {
	whole, _ := rewritten(t)
	if paths, _ := json.Marshal(whole["linux"].(map[string]any)["readonlyPaths"]); string(paths) != `["/rootfs"]` {
		t.Errorf("read-only are %s", paths)
	}
	if kept, _ := json.Marshal(whole["unknown"]); string(kept) != `{"kept":true}` {
		t.Errorf("unknown is %s", kept)
	}
}

func TestAPortThatIsNoneIsRefused(t *testing.T) {
	for _, port := range []string{"0", "65536", "http", "-1"} {
		if _, err := describe(spec{Annotations: map[string]string{listenAnnotation: port}}); err == nil {
			t.Errorf("%q was taken", port)
		}
	}
}

func TestTheSandboxContainerStaysAsItIs(t *testing.T) {
	bundle := t.TempDir()
	text := []byte(`{"annotations": {"io.kubernetes.cri.container-type": "sandbox"}, "process": {"args": ["/pause"]}}`)
	file := filepath.Join(bundle, "config.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := prepare(bundle); err != nil {
		t.Fatal(err)
	}
	if now, _ := os.ReadFile(file); string(now) != string(text) {
		t.Errorf("config.json became %s", now)
	}
}

func TestMemoryIsTheLimitOrAllThatAModuleCanAddress(t *testing.T) {
	mebibytes := func(count int64) *int64 { bytes := count << 20; return &bytes }
	for limit, want := range map[*int64]uint32{nil: 65536, mebibytes(0): 65536, mebibytes(1): 16, mebibytes(8 << 10): 65536} {
		if found := pages(limit); found != want {
			t.Errorf("%v bytes are %d pages, not %d", limit, found, want)
		}
	}
}
