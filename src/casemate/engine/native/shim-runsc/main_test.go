package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestContainerdsCallIsUnderstood(t *testing.T) {
	line := "-namespace k8s.io -address /run/c.sock -publish-binary /usr/bin/containerd -id abc -debug start"
	want := request{namespace: "k8s.io", address: "/run/c.sock", id: "abc", debug: true, action: "start"}
	if asked := parse(strings.Fields(line)); asked != want {
		t.Errorf("%+v", asked)
	}
}

func TestWhatIsNotUnderstoodIsNoStart(t *testing.T) {
	for _, line := range []string{"-info", "-some-new-flag start", "", "-id abc -bundle /b delete"} {
		if parse(strings.Fields(line)).action == "start" {
			t.Errorf("%q was taken for a start", line)
		}
	}
}

func TestTheSocketIsWhereGVisorsShimWillRemoveIt(t *testing.T) {
	// sha256 of "/run/c.sock/k8s.io/abc", as containerd's shim package computes it.
	const want = "/run/containerd/s/"
	path := socketPath(request{namespace: "k8s.io", address: "/run/c.sock"}, "abc")
	if !strings.HasPrefix(path, want) || len(path) != len(want)+64 || len(path) > 106 {
		t.Errorf("%s", path)
	}
	if path == socketPath(request{namespace: "k8s.io", address: "/run/c.sock", debug: true}, "abc") {
		t.Error("the debug socket is the same")
	}
}

func TestAContainerJoinsItsSandboxOnContainerd16Only(t *testing.T) {
	t.Chdir(t.TempDir())
	text := `{"annotations": {"io.kubernetes.cri.sandbox-id": "pod"}}`
	if err := os.WriteFile(filepath.Join(".", containerSpec), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(maxShimVersion, "2")
	if served, err := shimOf("c"); served != "c" || err != nil {
		t.Errorf("on containerd 2 it is served by %s, %v", served, err)
	}
	os.Unsetenv(maxShimVersion)
	if served, err := shimOf("c"); served != "pod" || err != nil {
		t.Errorf("on containerd 1.6 it is served by %s, %v", served, err)
	}
}

func TestAShimHasTwoProcessors(t *testing.T) {
	environment := strings.Join(withoutProcessors([]string{"A=1", "GOMAXPROCS=64"}), " ")
	if environment != "A=1 GOMAXPROCS=2" {
		t.Error(environment)
	}
}
