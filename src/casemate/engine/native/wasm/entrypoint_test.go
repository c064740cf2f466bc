package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func imageWith(t *testing.T, files map[string]string, links map[string]string) spec {
	t.Helper()
	var known spec
	known.Root.Path = t.TempDir()
	for name, content := range files {
		path := filepath.Join(known.Root.Path, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(known.Root.Path, name)); err != nil {
			t.Fatal(err)
		}
	}
	return known
}

func TestOnlyCoreModulesPass(t *testing.T) {
	known := imageWith(t, map[string]string{
		"module": string(coreModule) + "x", "component": string(component), "elf": "\x7fELF\x02\x01", "script": "#!/bin/sh\n",
		"short": "\x00asm", "empty": "",
	}, nil)
	cases := map[string]string{
		"/module": "", "/component": "Wasm component", "/elf": "native program", "/script": "script", "/short": "no Wasm module",
		"/empty": "no Wasm module", "/missing": "no such file",
	}
	for name, want := range cases {
		known.Process.Args = []string{name}
		_, err := checkEntryPoint(known)
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, not %q", name, err, want)
		}
	}
}

func TestLinksLeadNowhereOutsideOfTheImage(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "module")
	if err := os.WriteFile(outside, coreModule, 0o755); err != nil {
		t.Fatal(err)
	}
	known := imageWith(t, map[string]string{"bin/module": string(coreModule)}, map[string]string{
		"absolute": outside, "climbing": "../../../../../../../" + outside, "inside": "/bin/module", "folder": "/bin",
		"around": "around", "up": "../../bin/module",
	})
	for name, works := range map[string]bool{
		"/absolute": false, "/climbing": false, "/around": false, "/inside": true, "/folder/module": true, "/up": true,
		"/../bin/module": true,
	} {
		known.Process.Args = []string{name}
		if _, err := checkEntryPoint(known); (err == nil) != works {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACommandIsLookedUpAsAShellWould(t *testing.T) {
	known := imageWith(t, map[string]string{"opt/tool": string(coreModule), "work/local": string(coreModule)}, nil)
	known.Process.Env, known.Process.Cwd = []string{"PATH=/bin:/opt"}, "/work"
	for _, name := range []string{"tool", "./local", "local"} {
		known.Process.Args = []string{name}
		if _, err := checkEntryPoint(known); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatLiesInAVolumeIsJudgedInside(t *testing.T) {
	known := imageWith(t, nil, nil)
	known.Mounts = []mount{{"destination": "/code/"}}
	known.Process.Args = []string{"/code/app.wasm"}
	if file, err := checkEntryPoint(known); file != nil || err != nil {
		t.Errorf("file %v, error %v", file, err)
	}
}

func TestAContainerWithoutACommandIsRefused(t *testing.T) {
	if _, err := checkEntryPoint(spec{}); err == nil {
		t.Error("it was taken")
	}
}
