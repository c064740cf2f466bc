// A Wasm module that tries what the tests ask for: probe VERB [ARGUMENT]...
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	fmt.Println("arguments", os.Args[1:])
	switch os.Args[1] {
	case "exit":
		code, _ := strconv.Atoi(os.Args[2])
		os.Exit(code)
	case "trap":
		var nothing *int
		fmt.Println(*nothing)
	case "read":
		for _, path := range os.Args[2:] {
			text, err := os.ReadFile(path)
			fmt.Printf("%s %q %v\n", path, text, err)
		}
	case "write":
		for _, path := range os.Args[2:] {
			fmt.Println(path, os.WriteFile(path, []byte("x"), 0o644))
		}
	case "env":
		for _, name := range os.Args[2:] {
			fmt.Printf("%s=%s\n", name, os.Getenv(name))
		}
	case "grow":
		grow()
	case "serve":
		fmt.Println(serve())
	case "sleep":
		time.Sleep(time.Hour)
	}
}

func grow() {
	kept := [][]byte{}
	for i := 0; i < 64; i++ {
		kept = append(kept, make([]byte, 16<<20))
		fmt.Println("MiB", len(kept)*16)
	}
}

func serve() error {
	descriptor, err := strconv.Atoi(os.Getenv("CASEMATE_LISTEN_8080"))
	if err != nil {
		return err
	}
	listener, err := net.FileListener(os.NewFile(uintptr(descriptor), "8080"))
	if err != nil {
		return err
	}
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "module says %s\n", r.URL.Path)
	}))
}
