package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

// confine shuts the engine into the module's file system before any of the module's bytes are read.
//
//  1. A proc file system in there (by a volume) would hand the module the engine's memory: refused.
//  2. chroot to the module's root: links and `..` end there, and the engine's /proc, /sys and /dev are gone.
//  3. All capabilities go, but for binding low ports where the container has it.
//  4. A seccomp filter of the engine's own, on top of the Pod's and also where the Pod asked for none: no new program,
//     no other root, no other process.
func confine(keepBind bool) error {
	if err := refuseProc(); err != nil {
		return err
	}
	if err := errors.Join(syscall.Chroot(containerRoot), syscall.Chdir("/")); err != nil {
		return fmt.Errorf("cannot confine the module: %w", err)
	}
	if err := dropCapabilities(keepBind); err != nil {
		return fmt.Errorf("cannot drop capabilities: %w", err)
	}
	if err := filterCalls(); err != nil {
		return fmt.Errorf("cannot install the seccomp filter: %w", err)
	}
	return nil
}

func refuseProc() error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(table)) {
		place, kind, ok := mountOf(line)
		if ok && kind == "proc" && strings.HasPrefix(place+"/", containerRoot+"/") {
			return fmt.Errorf("%s: a proc file system cannot be a volume of a Wasm container", strings.TrimPrefix(place, containerRoot))
		}
	}
	return nil
}

// mountOf reads one line of mountinfo (proc(5)): where, and of what type.
func mountOf(line string) (place, kind string, ok bool) {
	before, after, ok := strings.Cut(line, " - ")
	left, right := strings.Fields(before), strings.Fields(after)
	if !ok || len(left) < 5 || len(right) < 1 {
		return "", "", false
	}
	return left[4], right[0], true
}

const (
	capabilityVersion3 = 0x20080522
	netBindService     = 1 << 10
)

func dropCapabilities(keepBind bool) error {
	header := struct {
		version uint32
		pid     int32
	}{version: capabilityVersion3}
	var sets [2]struct{ effective, permitted, inheritable uint32 }
	if keepBind {
		sets[0].effective, sets[0].permitted = netBindService, netBindService
	}
	_, _, failed := syscall.AllThreadsSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets)), 0)
	if failed != 0 {
		return failed
	}
	return nil
}
