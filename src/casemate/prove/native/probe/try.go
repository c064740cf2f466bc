package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// Numbers of linux/*.h that package syscall lacks.
const (
	familyALG, familyVsock  = 38, 40
	sequencedPacket         = 5
	seize                   = 0x4206
	mapCreate, mapArray     = 0, 2
	cloneNewUser            = 0x10000000
	impossible              = ^uintptr(0)
	blockDevice             = syscall.S_IFBLK | 0o600
	deviceOpen              = syscall.O_RDONLY | syscall.O_NONBLOCK
	performanceEventMinimum = 64
)

// tryCalls asks for calls with arguments that no kernel accepts: what differs from kernel to kernel is how they refuse.
func tryCalls() map[string]string {
	answers := map[string]string{}
	for name, number := range calls {
		_, _, failed := syscall.RawSyscall6(number, impossible, impossible, impossible, impossible, impossible, 0)
		answers[name] = ""
		if failed != 0 {
			answers[name] = told(failed)
		}
	}
	return answers
}

// tryEscapes does what escapes begin with. All of it must fail on a kernel that is shared with the node.
func tryEscapes() map[string]string {
	return map[string]string{
		"release-agent":  releaseAgent(),
		"core-pattern":   rewrite("/proc/sys/kernel/core_pattern"),
		"sysctl":         openForWriting("/proc/sys/kernel/modprobe", "/proc/sys/fs/binfmt_misc/register", "/proc/sys/vm/overcommit_memory"),
		"sysrq":          openForWriting("/proc/sysrq-trigger"),
		"uevent-helper":  openForWriting("/sys/kernel/uevent_helper"),
		"mount":          mount(),
		"raw-device":     rawDevice(),
		"host-memory":    openForWriting("/dev/mem", "/dev/kmem", "/dev/port", "/proc/kcore"),
		"userfaultfd":    descriptor(calls["userfaultfd"], 0, 0, 0),
		"bpf":            bpf(),
		"af-alg":         socket(familyALG, sequencedPacket),
		"af-vsock":       socket(familyVsock, syscall.SOCK_STREAM),
		"unshare":        unshare(),
		"ptrace":         traceNeighbours(),
		"io-uring":       ioUring(),
		"perf":           perf(),
		"open-by-handle": openByHandle(),
		"setns":          joinNeighbours(),
	}
}

func releaseAgent() string {
	found, _ := filepath.Glob("/sys/fs/cgroup/*/release_agent")
	if why := openForWriting(append(found, "/sys/fs/cgroup/release_agent")...); why == "" {
		return ""
	}
	place, err := os.MkdirTemp("", "probe-")
	if err != nil {
		return told(err)
	}
	defer os.Remove(place)
	err = syscall.Mount("cgroup", place, "cgroup", 0, "memory")
	if err == nil {
		syscall.Unmount(place, syscall.MNT_DETACH)
	}
	return told(err)
}

// rewrite writes a file's value back as it is.
func rewrite(path string) string {
	value, err := os.ReadFile(path)
	if err != nil {
		return told(err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return told(err)
	}
	defer file.Close()
	_, err = file.Write(value)
	return told(err)
}

// openForWriting is empty when one of the files could be opened; else why the first could not.
func openForWriting(paths ...string) string {
	why := "ENOENT"
	for i, each := range paths {
		file, err := os.OpenFile(each, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			file.Close()
			return ""
		}
		if i == 0 {
			why = told(err)
		}
	}
	return why
}

func mount() string {
	place, err := os.MkdirTemp("", "probe-")
	if err != nil {
		return told(err)
	}
	defer os.Remove(place)
	err = syscall.Mount("none", place, "tmpfs", 0, "size=4k")
	if err == nil {
		syscall.Unmount(place, syscall.MNT_DETACH)
	}
	return told(err)
}

// rawDevice makes a node of the first disk that the kernel lists, and opens it for reading.
func rawDevice() string {
	number, ok := firstDisk()
	if !ok {
		return "no disk listed"
	}
	place := filepath.Join(os.TempDir(), "probe-disk")
	if err := syscall.Mknod(place, blockDevice, number); err != nil {
		return told(err)
	}
	defer os.Remove(place)
	opened, err := syscall.Open(place, deviceOpen, 0)
	if err == nil {
		syscall.Close(opened)
	}
	return told(err)
}

func firstDisk() (int, bool) {
	table, err := os.ReadFile("/proc/partitions")
	if err != nil {
		return 0, false
	}
	for each := range strings.Lines(string(table)) {
		fields := strings.Fields(each)
		if len(fields) != 4 {
			continue
		}
		major, wrong := strconv.Atoi(fields[0])
		minor, bad := strconv.Atoi(fields[1])
		if wrong == nil && bad == nil {
			return minor&0xff | major&0xfff<<8 | (minor&^0xff)<<12, true
		}
	}
	return 0, false
}

func bpf() string {
	attributes := struct{ kind, key, value, entries, flags uint32 }{mapArray, 4, 4, 1, 0}
	return descriptor(calls["bpf"], mapCreate, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
}

func socket(family, kind int) string {
	opened, err := syscall.Socket(family, kind, 0)
	if err == nil {
		syscall.Close(opened)
	}
	return told(err)
}

// unshare starts this program again in a user namespace of its own.
func unshare() string {
	command := exec.Command("/proc/self/exe", asNeighbour)
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: cloneNewUser}
	return told(command.Run())
}

// neighbours are the processes that are none of ours.
func neighbours() []int {
	found := []int{}
	for _, each := range processes() {
		pid, err := strconv.Atoi(filepath.Base(each))
		if err == nil && pid != os.Getpid() {
			found = append(found, pid)
		}
	}
	return found
}

func traceNeighbours() string {
	why := "no neighbour"
	for _, pid := range neighbours() {
		_, _, failed := syscall.RawSyscall6(syscall.SYS_PTRACE, seize, uintptr(pid), 0, 0, 0, 0)
		if failed == 0 {
			return ""
		}
		why = told(failed)
	}
	return why
}

func joinNeighbours() string {
	why := "no neighbour"
	for _, pid := range neighbours() {
		file, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/uts")
		if err != nil {
			why = told(err)
			continue
		}
		_, _, failed := syscall.RawSyscall(calls["setns"], file.Fd(), syscall.CLONE_NEWUTS, 0)
		file.Close()
		if failed == 0 {
			return ""
		}
		why = told(failed)
	}
	return why
}

func ioUring() string {
	parameters := [120]byte{}
	return descriptor(calls["io_uring_setup"], 1, uintptr(unsafe.Pointer(&parameters)), 0)
}

func perf() string {
	attributes := [performanceEventMinimum]byte{0: 1, 4: performanceEventMinimum} // a software event
	_, _, failed := syscall.RawSyscall6(calls["perf_event_open"], uintptr(unsafe.Pointer(&attributes)), impossible, 0, impossible, 0, 0)
	if failed == 0 {
		return ""
	}
	return told(failed)
}

// openByHandle asks for inode 2 of the root's file system, which lies above every container's root.
func openByHandle() string {
	root, err := syscall.Open("/", syscall.O_RDONLY, 0)
	if err != nil {
		return told(err)
	}
	defer syscall.Close(root)
	handle := struct {
		bytes uint32
		kind  int32
		inode uint64
	}{8, 1, 2}
	return descriptor(calls["open_by_handle_at"], uintptr(root), uintptr(unsafe.Pointer(&handle)), syscall.O_RDONLY)
}

// descriptor is empty when the call gave one, which is closed.
func descriptor(number, first, second, third uintptr) string {
	opened, _, failed := syscall.RawSyscall(number, first, second, third)
	if failed != 0 {
		return told(failed)
	}
	syscall.Close(int(opened))
	return ""
}
