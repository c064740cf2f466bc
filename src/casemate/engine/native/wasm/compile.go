package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Compiling a module takes seconds and much memory; loading its compiled form takes neither. So a module is compiled once,
// when the first container with it is made.
//
//  1. The compiler reads what a stranger wrote: it runs apart, as nobody, in namespaces of its own, shut into an empty
//     folder, with the engine's seccomp filter and limits of time and memory.
//  2. What it leaves is kept under the digest of the module's bytes, which we computed: a module can only spoil itself.
//  3. The compiled form is mounted read-only. Where there is none, the engine compiles in the container.
const (
	aside         = "compile-module"
	compiledLimit = 32 << 20 // bytes of a module
	compileTime   = 60 * time.Second
	compileSpace  = 8 << 30 // address space, most of which is never touched
	nobody        = 65534
	unfinished    = ".compiling-"
)

// compiledForm is the folder with the compiled form of the module in the file, or empty.
func compiledForm(file *os.File) string {
	if file == nil {
		return ""
	}
	defer file.Close()
	digest, err := digestOf(file)
	if err != nil {
		return ""
	}
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	folder := filepath.Join(filepath.Dir(self), "compiled", digest)
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	if err := compileInto(folder, self, file); err != nil {
		fmt.Fprintf(os.Stderr, "casemate-wasm: not compiled ahead: %v\n", err)
		return ""
	}
	return folder
}

func digestOf(file *os.File) (string, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	digest := sha256.New()
	size, err := io.Copy(digest, io.LimitReader(file, compiledLimit+1))
	if err == nil && size > compiledLimit {
		err = errors.New("too large")
	}
	if _, again := file.Seek(0, io.SeekStart); err == nil {
		err = again
	}
	return fmt.Sprintf("%x", digest.Sum(nil)), err
}

func compileInto(folder, self string, file *os.File) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	removeAbandoned(filepath.Dir(folder))
	work, err := os.MkdirTemp(filepath.Dir(folder), unfinished+"*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.Chown(work, nobody, nobody); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), compileTime)
	defer cancel()
	runtime.LockOSThread() // Pdeathsig watches the thread
	defer runtime.UnlockOSThread()
	command := exec.CommandContext(ctx, self, aside, work)
	command.Stdin, command.Env = file, []string{}
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(said))
	}
	if err := own(work); err != nil {
		return err
	}
	if err := os.Rename(work, folder); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil
}

// removeAbandoned clears up after compilations whose runtime was killed.
func removeAbandoned(folder string) {
	left, _ := filepath.Glob(filepath.Join(folder, unfinished+"*"))
	for _, each := range left {
		if found, err := os.Stat(each); err == nil && time.Since(found.ModTime()) > 2*compileTime {
			os.RemoveAll(each)
		}
	}
}

// own takes what the compiler left into root's hands, and refuses anything but folders and files.
func own(work string) error {
	return filepath.WalkDir(work, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o444)
		if entry.IsDir() {
			mode = 0o755
		} else if !entry.Type().IsRegular() {
			return fmt.Errorf("%s: the compiler left something else than files", path)
		}
		return errors.Join(os.Lchown(path, 0, 0), os.Chmod(path, mode))
	})
}

// compileAside is the process apart: it shuts itself into the folder before it reads the module.
func compileAside(folder string) int {
	limits := map[int]uint64{syscall.RLIMIT_CPU: uint64(compileTime.Seconds()), syscall.RLIMIT_AS: compileSpace, syscall.RLIMIT_CORE: 0}
	for kind, limit := range limits {
		if err := syscall.Setrlimit(kind, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			return complain(1, err)
		}
	}
	if err := errors.Join(syscall.Chroot(folder), syscall.Chdir("/")); err != nil {
		return complain(1, err)
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody), filterCalls()); err != nil {
		return complain(1, err)
	}
	code, err := io.ReadAll(os.Stdin)
	if err != nil {
		return complain(1, err)
	}
	if _, _, err := load(context.Background(), module{MemoryPages: pages(nil)}, "/", "module", code); err != nil {
		return complain(1, err)
	}
	return 0
}
