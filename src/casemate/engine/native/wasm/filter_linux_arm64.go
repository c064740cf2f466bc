package main

const (
	auditArchitecture = 0xc00000b7
	seccompCall       = 277
)

// denied are calls that the engine never makes: starting programs, changing root or namespaces, reaching into other
// processes, and interfaces known for escapes.
var denied = []uint32{
	221, 281, // execve, execveat
	117, 270, 271, // ptrace, process_vm_readv, process_vm_writev
	41, 51, 40, 39, // pivot_root, chroot, mount, umount2
	97, 268, // unshare, setns
	428, 429, 430, 432, 442, // open_tree, move_mount, fsopen, fsmount, mount_setattr
	105, 106, 273, 104, 294, // init_module, delete_module, finit_module, kexec_load, kexec_file_load
	219, 217, 218, // keyctl, add_key, request_key
	241, 280, 282, 425, // perf_event_open, bpf, userfaultfd, io_uring_setup
	264, 265, // name_to_handle_at, open_by_handle_at
	438, 279, // pidfd_getfd, memfd_create
}
