package main

// Numbers of arch/x86/entry/syscalls/syscall_64.tbl. Kernels in user space lack some of them, seccomp profiles refuse others.
var calls = map[string]uintptr{
	"userfaultfd": 323, "bpf": 321, "setns": 308, "io_uring_setup": 425, "perf_event_open": 298,
	"open_by_handle_at": 304, "copy_file_range": 326, "vmsplice": 278, "fanotify_init": 300, "pkey_alloc": 330,
	"mq_notify": 244, "kcmp": 312, "add_key": 248, "init_module": 175, "kexec_load": 246, "fsopen": 430, "quotactl": 179,
	"move_pages": 279, "process_vm_readv": 310, "io_pgetevents": 333,
}
