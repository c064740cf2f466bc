package main

const (
	auditArchitecture = 0xc000003e
	seccompCall       = 317
)

// denied are calls that the engine never makes: starting programs, changing root or namespaces, reaching into other
// processes, and interfaces known for escapes.
var denied = []uint32{
	59, 322, // execve, execveat
	101, 310, 311, // ptrace, process_vm_readv, process_vm_writev
	155, 161, 165, 166, // pivot_root, chroot, mount, umount2
	272, 308, // unshare, setns
	428, 429, 430, 432, 442, // open_tree, move_mount, fsopen, fsmount, mount_setattr
	175, 176, 313, 246, 320, // init_module, delete_module, finit_module, kexec_load, kexec_file_load
	250, 248, 249, // keyctl, add_key, request_key
	298, 321, 323, 425, // perf_event_open, bpf, userfaultfd, io_uring_setup
	303, 304, // name_to_handle_at, open_by_handle_at
	438, 319, // pidfd_getfd, memfd_create
}
