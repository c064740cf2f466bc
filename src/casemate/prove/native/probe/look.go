package main

import (
	"bytes"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

// kernel is what the kernel in here says of itself.
type kernel struct {
	Release string `json:"release"`
	Version string `json:"version"`
	BootID  string `json:"bootId"`
	Log     string `json:"log"`
}

// machine is the hardware as seen from in here.
type machine struct {
	Vendor     string   `json:"vendor"`
	Hypervisor string   `json:"hypervisor"`
	DMI        string   `json:"dmi"`
	Devices    []string `json:"devices"`
	Processes  int      `json:"processes"`
}

const (
	logReadAll  = 3
	logBuffer   = 4096
	textLimit   = 200
	deviceLimit = 100
)

func lookAtKernel() kernel {
	var uts syscall.Utsname
	syscall.Uname(&uts)
	return kernel{
		Release: text(uts.Release[:]),
		Version: line("/proc/version"),
		BootID:  line("/proc/sys/kernel/random/boot_id"),
		Log:     firstOfLog(),
	}
}

func lookAtMachine() machine {
	vendor, hypervisor := processor()
	return machine{
		Vendor: vendor, Hypervisor: hypervisor, DMI: line("/sys/class/dmi/id/sys_vendor"),
		Devices: devices(), Processes: len(processes()),
	}
}

// surface are files of the kernel that tell of the node or lead to it.
var surface = []string{
	"/proc/kcore", "/proc/kmsg", "/proc/kallsyms", "/proc/modules", "/proc/keys", "/proc/timer_list", "/proc/sched_debug",
	"/proc/sysrq-trigger", "/proc/scsi/scsi", "/proc/sentry-meminfo", "/proc/1/environ",
	"/sys/firmware/efi", "/sys/firmware/acpi/tables", "/sys/kernel/debug", "/sys/kernel/security",
	"/sys/kernel/vmcoreinfo", "/sys/fs/bpf", "/sys/devices/virtual/powercap", "/dev/kmsg", "/dev/mem", "/dev/kvm", "/dev/fuse",
}

func lookAtSurface() map[string]string {
	seen := map[string]string{}
	for _, each := range surface {
		seen[each] = readable(each)
	}
	return seen
}

// readable is empty when the file yields a byte or the folder an entry; masked paths are empty, and so are not readable.
func readable(path string) string {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return told(err)
	}
	defer file.Close()
	status, err := file.Stat()
	if err != nil {
		return told(err)
	}
	if status.IsDir() {
		if found, _ := file.Readdirnames(1); len(found) == 0 {
			return "empty"
		}
		return ""
	}
	if count, err := syscall.Read(int(file.Fd()), make([]byte, 1)); count != 1 {
		if err != nil {
			return told(err)
		}
		return "empty"
	}
	return ""
}

func devices() []string {
	found := []string{}
	filepath.WalkDir("/dev", func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type()&os.ModeDevice != 0 && len(found) < deviceLimit {
			found = append(found, strings.TrimPrefix(path, "/dev/"))
		}
		return nil
	})
	sort.Strings(found)
	return found
}

func processes() []string {
	found, _ := filepath.Glob("/proc/[0-9]*")
	return found
}

func firstOfLog() string {
	buffer := make([]byte, logBuffer)
	count, err := syscall.Klogctl(logReadAll, buffer)
	if err != nil {
		return told(err)
	}
	first, _, _ := bytes.Cut(buffer[:count], []byte("\n"))
	return short(string(first))
}

func line(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return told(err)
	}
	first, _, _ := strings.Cut(string(content), "\n")
	return short(first)
}

func short(long string) string {
	return long[:min(len(long), textLimit)]
}

func text(field []int8) string {
	out := make([]byte, 0, len(field))
	for _, each := range field {
		if each == 0 {
			break
		}
		out = append(out, byte(each))
	}
	return string(out)
}
