// Package probe is what native programs and Wasm modules have in common when they try what a runtime lets them do.
package probe

import (
	"fmt"
	"os"
)

// Main runs the test that the first argument names.
func Main(tests map[string]func([]string)) {
	tests[os.Args[1]](os.Args[2:])
}

// Verdict ends the program with its last line: works, differs or fails, and what was seen.
func Verdict(word, format string, values ...any) {
	fmt.Printf("%s: %s\n", word, fmt.Sprintf(format, values...))
	os.Exit(0)
}

// Grow uses 256 MiB of memory, which is more than the manifests allow: who gets to the end had no limit.
func Grow([]string) {
	kept := [][]byte{}
	for len(kept) < 16 {
		block := make([]byte, 16<<20)
		for at := 0; at < len(block); at += 4096 {
			block[at] = 1
		}
		kept = append(kept, block)
	}
	Verdict("fails", "%d MiB over its limit", len(kept)*16)
}
