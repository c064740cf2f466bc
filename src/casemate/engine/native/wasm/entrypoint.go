package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	defaultPath  = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	linksAllowed = 40
)

var (
	coreModule = []byte("\x00asm\x01\x00\x00\x00")
	component  = []byte("\x00asm\x0d\x00\x01\x00")
	native     = []byte("\x7fELF")
	script     = []byte("#!")
)

// errElsewhere says that a volume covers the path: what is there can only be seen from inside.
var errElsewhere = errors.New("lies in a volume")

// checkEntryPoint tells early, and in clear words, what the engine would refuse later: it runs nothing but core modules.
// It returns the module, or nothing when it lies in a volume.
func checkEntryPoint(known spec) (*os.File, error) {
	if len(known.Process.Args) == 0 {
		return nil, errors.New("the container has no command")
	}
	file, err := entryPoint(known)
	if errors.Is(err, errElsewhere) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := judge(known.Process.Args[0], file); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func entryPoint(known spec) (*os.File, error) {
	name := known.Process.Args[0]
	for _, candidate := range candidates(name, known.Process.Cwd, known.Process.Env) {
		file, err := openIn(known, candidate)
		if err == nil || errors.Is(err, errElsewhere) {
			return file, err
		}
	}
	return nil, fmt.Errorf("%s: no such file in the image", name)
}

// candidates are the paths that a command's name may stand for, as execvp looks for it.
func candidates(name, directory string, environment []string) []string {
	if strings.HasPrefix(name, "/") {
		return []string{name}
	}
	if strings.Contains(name, "/") {
		return []string{filepath.Join("/", directory, name)}
	}
	found := []string{}
	for _, folder := range strings.Split(lookUp(environment, "PATH", defaultPath), ":") {
		found = append(found, filepath.Join("/", folder, name))
	}
	return append(found, filepath.Join("/", directory, name))
}

func lookUp(environment []string, key, otherwise string) string {
	for _, each := range environment {
		if value, ok := strings.CutPrefix(each, key+"="); ok {
			return value
		}
	}
	return otherwise
}

// judge reads a program's first bytes: nil for a core module, and for the rest why not.
func judge(name string, file io.Reader) error {
	start := make([]byte, len(coreModule))
	count, err := io.ReadFull(file, start)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", name, err)
	}
	start = start[:count]
	switch {
	case bytes.Equal(start, coreModule):
		return nil
	case bytes.Equal(start, component):
		return fmt.Errorf("%s is a Wasm component (WASI preview 2); only core modules (WASI preview 1) run here", name)
	case bytes.HasPrefix(start, native):
		return fmt.Errorf("%s is a native program; this class runs Wasm modules only", name)
	case bytes.HasPrefix(start, script):
		return fmt.Errorf("%s is a script; this class runs Wasm modules only", name)
	}
	return fmt.Errorf("%s is no Wasm module", name)
}

// openIn opens a path as a process inside the container would see it: links lead nowhere outside its root.
func openIn(known spec, path string) (*os.File, error) {
	resolved, left := "/", strings.Split(strings.Trim(path, "/"), "/")
	for links := 0; len(left) > 0; {
		part := left[0]
		left = left[1:]
		next := filepath.Join(resolved, part) // Join cleans `..`, and never climbs above /
		if covered(known, next) {
			return nil, errElsewhere
		}
		target, err := os.Readlink(filepath.Join(known.Root.Path, next))
		if err != nil {
			resolved = next
			continue
		}
		if links++; links > linksAllowed {
			return nil, fmt.Errorf("%s: too many links", path)
		}
		if strings.HasPrefix(target, "/") {
			resolved = "/"
		}
		left = append(strings.Split(strings.Trim(target, "/"), "/"), left...)
	}
	return os.Open(filepath.Join(known.Root.Path, resolved))
}

func covered(known spec, path string) bool {
	for _, each := range known.Mounts {
		if place := filepath.Clean("/" + each.text("destination")); place == path {
			return true
		}
	}
	return false
}
