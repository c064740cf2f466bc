package main

import (
	"context"
	"syscall"

	"github.com/tetratelabs/wazero/experimental"
)

// withReservedMemory makes a module's memory grow in place: addresses for all that it may have are reserved at the start,
// and pages are the kernel's to give when they are touched. wazero's own way copies, and needs twice the memory for it.
func withReservedMemory(ctx context.Context) context.Context {
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(reserve))
}

type reserved []byte

func reserve(_, most uint64) experimental.LinearMemory {
	const access = syscall.PROT_READ | syscall.PROT_WRITE
	memory, err := syscall.Mmap(-1, 0, int(most), access, syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return reserved(nil)
	}
	return reserved(memory)
}

// Reallocate returns the memory at its new size, or nothing when that was not reserved.
func (r reserved) Reallocate(size uint64) []byte {
	if size > uint64(len(r)) {
		return nil
	}
	return r[:size]
}

// Free gives the addresses back.
func (r reserved) Free() {
	_ = syscall.Munmap(r)
}
