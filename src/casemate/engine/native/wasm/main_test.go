package main

import (
	"slices"
	"strings"
	"testing"
)

func TestCallsInTheMannerOfRuncAreUnderstood(t *testing.T) {
	cases := map[string]invocation{
		"--root /r --log /l --log-format json create --bundle /b --pid-file /p id": {"create", "/b", "/l"},
		"--root=/r --log=/l --systemd-cgroup create -b /b id":                      {"create", "/b", "/l"},
		"--log /l exec --process /p --detach id":                                   {"exec", ".", "/l"},
		"--version":                                                                {"--version", ".", ""},
		"features":                                                                 {"features", ".", ""},
		"--root create state id":                                                   {"state", ".", ""},
	}
	for line, want := range cases {
		if call := parse(strings.Fields(line)); call != want {
			t.Errorf("%s: %+v, not %+v", line, call, want)
		}
	}
}

func TestAProcMountIsToldFromOthers(t *testing.T) {
	place, kind, ok := mountOf("36 35 0:40 / /rootfs/host/proc rw,nosuid shared:1 - proc proc rw\n")
	if place != "/rootfs/host/proc" || kind != "proc" || !ok {
		t.Errorf("%s %s %v", place, kind, ok)
	}
	if _, _, ok := mountOf("nonsense"); ok {
		t.Error("nonsense was taken")
	}
}

func TestTheFilterRefusesEachDeniedCallAndEndsInARefusal(t *testing.T) {
	filter := program(denied)
	last := len(filter) - 1
	for i, call := range denied {
		at := 4 + i
		if filter[at].parameter != call || at+1+int(filter[at].yes) != last {
			t.Errorf("call %d jumps to %d, not %d", call, at+1+int(filter[at].yes), last)
		}
	}
	if filter[last].parameter != actionRefuse || filter[last-1].parameter != actionAllow {
		t.Errorf("it ends in %x, %x", filter[last-1].parameter, filter[last].parameter)
	}
	sorted := slices.Clone(denied)
	slices.Sort(sorted)
	if len(slices.Compact(sorted)) != len(denied) {
		t.Error("a call is listed twice")
	}
}

func TestSubscriptionsAreReadAsWASILaysThemOut(t *testing.T) {
	text := make([]byte, 2*subscriptionSize)
	text[0], text[8], text[16] = 7, kindRead, 4
	text[subscriptionSize+24], text[subscriptionSize+8] = 100, kindClock
	read := parseSubscriptions(text)
	if read[0] != (subscription{userData: 7, kind: kindRead, fd: 4}) || read[1].due != 100 {
		t.Errorf("%+v", read)
	}
}
