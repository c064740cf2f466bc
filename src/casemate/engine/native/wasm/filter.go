package main

import (
	"runtime"
	"syscall"
	"unsafe"
)

// Numbers of linux/seccomp.h, linux/filter.h and linux/prctl.h.
const (
	loadWord, jumpIfEqual, answer = 0x20, 0x15, 0x06
	offsetOfNumber, offsetOfArch  = 0, 4
	actionAllow, actionRefuse     = 0x7fff0000, 0x00050000 | uint32(syscall.EPERM)
	actionKill                    = 0x80000000
	setFilter, allThreads         = 1, 1
	setNoNewPrivileges            = 38
)

type instruction struct {
	code      uint16
	yes, no   uint8
	parameter uint32
}

// program is the filter: another architecture's calls end the process, denied calls are refused, the rest passes on to
// the Pod's own profile.
func program(calls []uint32) []instruction {
	filter := []instruction{
		{loadWord, 0, 0, offsetOfArch},
		{jumpIfEqual, 1, 0, auditArchitecture},
		{answer, 0, 0, actionKill},
		{loadWord, 0, 0, offsetOfNumber},
	}
	for i, call := range calls {
		filter = append(filter, instruction{jumpIfEqual, uint8(len(calls) - i), 0, call})
	}
	return append(filter, instruction{answer, 0, 0, actionAllow}, instruction{answer, 0, 0, actionRefuse})
}

func filterCalls() error {
	filter := program(denied)
	described := struct {
		length uint16
		first  *instruction
	}{uint16(len(filter)), &filter[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, _, failed := syscall.RawSyscall6(syscall.SYS_PRCTL, setNoNewPrivileges, 1, 0, 0, 0, 0); failed != 0 {
		return failed
	}
	_, _, failed := syscall.RawSyscall(seccompCall, setFilter, allThreads, uintptr(unsafe.Pointer(&described)))
	runtime.KeepAlive(filter)
	if failed != 0 {
		return failed
	}
	return nil
}
