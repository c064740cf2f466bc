// What a native program may do behind a runtime. The last line that it writes is the verdict: works, differs or fails,
// with what was seen.
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"casemate.dev/compat/probe"
)

func main() {
	probe.Main(map[string]func([]string){
		"bpf": bpf, "uring": uring, "iptables": iptables, "raw": raw, "fuse": fuse, "missing": missing, "user": user,
		"ptrace": ptrace, "settime": settime, "watch": watch, "follow": follow, "socket": socket, "device": device, "kvm": kvm,
		"shm": shm, "shm-keep": shmKeep, "grow": probe.Grow, "sleep": sleep, "huge": huge, "open-close": openClose,
	})
}

// worksUnless ends with `fails` when a call was refused.
func worksUnless(what string, failed error) {
	if failed != nil {
		probe.Verdict("fails", "%s: %v", what, failed)
	}
	probe.Verdict("works", "%s", what)
}

func call(number uintptr, arguments ...uintptr) (uintptr, error) {
	var all [6]uintptr
	copy(all[:], arguments)
	result, _, errno := syscall.Syscall6(number, all[0], all[1], all[2], all[3], all[4], all[5])
	if errno != 0 {
		return 0, errno
	}
	return result, nil
}

func bpf([]string) {
	program := [...]uint64{0xb7, 0x95} // r0 = 0; exit
	license := [...]byte{'G', 'P', 'L', 0}
	attributes := struct {
		kind, count    uint32
		code, license  uint64
		level, size    uint32
		buffer         uint64
		version, flags uint32
	}{kind: 1, count: 2, code: uint64(uintptr(unsafe.Pointer(&program))), license: uint64(uintptr(unsafe.Pointer(&license)))}
	_, failed := call(321, 5, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
	worksUnless("load a socket filter with bpf()", failed)
}

func uring([]string) {
	var parameters [120]byte
	_, failed := call(425, 8, uintptr(unsafe.Pointer(&parameters)))
	worksUnless("io_uring_setup", failed)
}

func iptables([]string) {
	descriptor, failed := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_RAW)
	if failed != nil {
		failed = fmt.Errorf("no raw socket, %w", failed)
	} else {
		var info [84]byte
		copy(info[:], "filter")
		size := uint32(len(info))
		_, failed = call(syscall.SYS_GETSOCKOPT, uintptr(descriptor), 0, 64, uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)))
	}
	netlink, unheard := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW, 12)
	if unheard == nil {
		unheard = syscall.Bind(netlink, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK})
	}
	text := fmt.Sprintf("iptables: %s; nftables: %s", said(failed), said(unheard))
	switch {
	case failed == nil && unheard == nil:
		probe.Verdict("works", "%s", text)
	case failed == nil || unheard == nil:
		probe.Verdict("differs", "%s", text)
	}
	probe.Verdict("fails", "%s", text)
}

func said(failed error) string {
	if failed == nil {
		return "yes"
	}
	return failed.Error()
}

func raw([]string) {
	if _, failed := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP); failed != nil {
		probe.Verdict("fails", "a raw socket: %v", failed)
	}
	_, failed := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW, 0)
	worksUnless("raw and packet sockets", failed)
}

func fuse(arguments []string) {
	node, own := mountFuse(arguments[0]), mountFuse("/dev/fuse")
	if node != nil && own == nil {
		probe.Verdict("differs", "FUSE takes the sandbox's own /dev/fuse; the node's, as a hostPath, does not mount: %v", node)
	}
	worksUnless("mount a FUSE file system", node)
}

func mountFuse(device string) error {
	os.Mkdir("/mounted", 0o755)
	descriptor, failed := syscall.Open(device, syscall.O_RDWR, 0)
	if failed != nil {
		return failed
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", descriptor)
	return syscall.Mount("probe", "/mounted", "fuse", 0, options)
}

func missing([]string) {
	calls := map[string]uintptr{
		"userfaultfd": 323, "copy_file_range": 326, "vmsplice": 278, "fanotify_init": 300, "pkey_alloc": 330,
		"mq_timedsend": 242, "mq_timedreceive": 243, "mq_notify": 244, "setfsuid": 122, "fspick": 433,
		"io_pgetevents": 333, "perf_event_open": 298, "add_key": 248, "name_to_handle_at": 303,
	}
	var lacking []string
	for name, number := range calls {
		_, failed := call(number)
		fmt.Println(name, said(failed))
		if failed == syscall.ENOSYS || failed == syscall.ENODEV {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) > 0 {
		probe.Verdict("fails", "no %s", strings.Join(lacking, ", "))
	}
	probe.Verdict("works", "none of these calls is missing")
}

func user(arguments []string) {
	if found := strconv.Itoa(syscall.Geteuid()); found != arguments[0] {
		probe.Verdict("fails", "effective user %s, not %s", found, arguments[0])
	}
	probe.Verdict("works", "effective user %s", arguments[0])
}

func ptrace([]string) {
	child := exec.Command("/proc/self/exe", "sleep")
	if failed := child.Start(); failed != nil {
		probe.Verdict("fails", "start a child: %v", failed)
	}
	attached := syscall.PtraceAttach(child.Process.Pid)
	child.Process.Kill()
	attributes := [112]byte{0: 1, 4: 112} // type software, its size; config 0 is the CPU clock
	_, counted := call(298, uintptr(unsafe.Pointer(&attributes)), 0, ^uintptr(0), ^uintptr(0), 0)
	text := fmt.Sprintf("ptrace attach: %s; perf_event_open: %s", said(attached), said(counted))
	switch {
	case attached == nil && counted == nil:
		probe.Verdict("works", "%s", text)
	case attached == nil:
		probe.Verdict("differs", "%s", text)
	}
	probe.Verdict("fails", "%s", text)
}

func settime([]string) {
	_, failed := call(syscall.SYS_SETTIMEOFDAY, 0, 0) // no time to set: only the right is asked for
	worksUnless("settimeofday", failed)
}

func watch(arguments []string) {
	folder := arguments[0]
	descriptor, failed := syscall.InotifyInit1(syscall.IN_NONBLOCK)
	if failed == nil {
		_, failed = syscall.InotifyAddWatch(descriptor, folder, syscall.IN_ALL_EVENTS&^syscall.IN_OPEN&^syscall.IN_ACCESS&^syscall.IN_CLOSE_NOWRITE)
	}
	if failed != nil {
		probe.Verdict("fails", "inotify: %v", failed)
	}
	var events [4096]byte
	seen := false
	for end := time.Now().Add(9 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if count, _ := syscall.Read(descriptor, events[:]); count > 0 {
			probe.Verdict("works", "inotify told of a change from outside")
		}
		if _, failed := os.Stat(folder + "/changed"); failed == nil && !seen {
			seen = true
			time.Sleep(2 * time.Second)
		}
	}
	if !seen {
		probe.Verdict("fails", "the change is not seen at all")
	}
	probe.Verdict("differs", "the change is seen by looking, inotify does not tell of it")
}

// follow FILE PROCESS: whether lines that the node writes to a file arrive, and its processes are seen.
func follow(arguments []string) {
	name, _ := os.ReadFile(arguments[1])
	file, failed := os.Open(arguments[0])
	for tries := 0; failed != nil && tries < 40; tries++ {
		time.Sleep(100 * time.Millisecond)
		file, failed = os.Open(arguments[0])
	}
	if failed != nil {
		probe.Verdict("fails", "%v", failed)
	}
	read := 0
	for range 60 {
		count, _ := file.Read(make([]byte, 4096))
		if read += count; count > 0 && read > count && strings.HasPrefix(string(name), "kthreadd") {
			probe.Verdict("works", "lines that the node writes arrive, and its processes are seen")
		}
		time.Sleep(100 * time.Millisecond)
	}
	probe.Verdict("differs", "%d bytes of what the node writes arrived; its process 2 is %q", read, strings.TrimSpace(string(name)))
}

func socket(arguments []string) {
	connection, failed := net.Dial("unix", arguments[0])
	if failed == nil {
		connection.Close()
	}
	worksUnless("connect to a socket of the node", failed)
}

func device(arguments []string) {
	descriptor, failed := syscall.Open(arguments[0], syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	if failed == nil {
		_, failed = syscall.Read(descriptor, make([]byte, 8192))
	}
	worksUnless("read a device of the node", failed)
}

func kvm([]string) {
	descriptor, failed := syscall.Open("/dev/kvm", syscall.O_RDWR, 0)
	if failed == nil {
		_, failed = call(syscall.SYS_IOCTL, uintptr(descriptor), 0xAE00)
	}
	worksUnless("ask /dev/kvm for its version", failed)
}

const key = 0xCA5E

func shm([]string) {
	for range 40 {
		if _, failed := call(syscall.SYS_SHMGET, key, 4096, 0); failed == nil {
			probe.Verdict("works", "the node's shared memory is seen")
		}
		time.Sleep(250 * time.Millisecond)
	}
	probe.Verdict("differs", "IPC is the sandbox's own: the node's shared memory is not seen")
}

func shmKeep([]string) {
	segment, failed := call(syscall.SYS_SHMGET, key, 4096, 0o1666)
	fmt.Println("segment", segment, failed)
	time.Sleep(12 * time.Second)
	call(syscall.SYS_SHMCTL, segment, 0)
}

func sleep([]string) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(time.Minute):
	}
}

// huge: whether the kernel looks for huge pages when it is asked for them. Where it has none, that is ENOMEM; a kernel
// that takes the flags for nothing gives plain memory.
func huge([]string) {
	address, unmapped := call(syscall.SYS_MMAP, 0, 2<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON|0x40000, ^uintptr(0), 0)
	segment, unshared := call(syscall.SYS_SHMGET, 0, 2<<20, 0o4000|0o1600)
	if unshared == nil {
		defer call(syscall.SYS_SHMCTL, segment, 0)
	}
	text := fmt.Sprintf("MAP_HUGETLB: %s; SHM_HUGETLB: %s", said(unmapped), said(unshared))
	understood := func(failed error) bool { return failed == syscall.ENOMEM || failed == syscall.EPERM }
	switch {
	case understood(unmapped) && understood(unshared):
		probe.Verdict("works", "the kernel looks for huge pages, of which this node has none (%s)", text)
	case unmapped == nil && !hugePage(address):
		probe.Verdict("differs", "plain memory is given for huge pages (%s)", text)
	case unmapped == nil:
		probe.Verdict("works", "%s", text)
	}
	probe.Verdict("fails", "%s", text)
}

// hugePage tells whether the mapping that begins at an address is of pages of 2 MiB.
func hugePage(address uintptr) bool {
	maps, _ := os.ReadFile("/proc/self/smaps")
	_, after, found := strings.Cut(string(maps), fmt.Sprintf("%x-", address))
	if !found {
		return false
	}
	_, size, _ := strings.Cut(after, "KernelPageSize:")
	return strings.HasPrefix(strings.TrimSpace(size), "2048 kB")
}

// openClose FILE: how long opening and closing a file of the node takes. Containers on its kernel take 1 to 5 µs.
func openClose(arguments []string) {
	const times, slow = 5000, 20 * time.Microsecond
	if failed := os.WriteFile(arguments[0], []byte("x"), 0o644); failed != nil {
		probe.Verdict("fails", "%v", failed)
	}
	begin := time.Now()
	for range times {
		descriptor, failed := syscall.Open(arguments[0], syscall.O_RDONLY, 0)
		if failed != nil {
			probe.Verdict("fails", "%v", failed)
		}
		syscall.Close(descriptor)
	}
	each := time.Since(begin) / times
	os.Remove(arguments[0])
	if each > slow {
		probe.Verdict("differs", "%v to open and close a file of the node", each.Round(time.Microsecond))
	}
	probe.Verdict("works", "%v to open and close a file of the node", each.Round(100*time.Nanosecond))
}
