package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	processors "runtime"
	"strings"
	"syscall"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/experimental/sock"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// Exit codes are a shell's: 126 for what cannot be run, 127 for what is not there, 134 for a module that trapped.
const (
	exitNotRunnable = 126
	exitNotFound    = 127
	exitTrapped     = 134
	// firstListener is the descriptor of the first listener: after the standard three and the root directory.
	firstListener = 4
)

// runModule is the container's process: it confines itself, then runs the module, and returns its exit code.
func runModule() int {
	endOnSignals()
	told, err := readModule()
	if err == nil {
		err = confine(told.KeepBind)
	}
	if err != nil {
		return complain(exitNotRunnable, err)
	}
	name, code, err := find(told)
	if err != nil {
		return complain(exitNotFound, err)
	}
	if err := judge(name, strings.NewReader(string(code[:min(len(code), len(coreModule))]))); err != nil {
		return complain(exitNotRunnable, err)
	}
	return run(told, name, code)
}

// endOnSignals gives process 1 the default action of the signals that end a process: the kernel spares it from them.
// WASI has no signals: a module cannot catch one.
func endOnSignals() {
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		received, _ := (<-ending).(syscall.Signal)
		os.Exit(128 + int(received))
	}()
}

func complain(code int, err error) int {
	fmt.Fprintf(os.Stderr, "casemate-wasm: %v\n", err)
	return code
}

func readModule() (module, error) {
	var told module
	text, err := os.ReadFile(modulePath)
	if err == nil {
		err = json.Unmarshal(text, &told)
	}
	return told, err
}

func find(told module) (string, []byte, error) {
	name := told.Arguments[0]
	for _, candidate := range candidates(name, told.Directory, told.Environment) {
		code, err := os.ReadFile(candidate)
		if err == nil {
			return candidate, code, nil
		}
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return "", nil, err
		}
	}
	return "", nil, fmt.Errorf("%s: no such file", name)
}

func run(told module, name string, code []byte) int {
	ctx := context.Background()
	if len(told.Listen) > 0 {
		listeners := sock.NewConfig()
		for _, port := range told.Listen {
			listeners = listeners.WithTCPListener("0.0.0.0", port)
		}
		ctx = sock.WithConfig(ctx, listeners)
	}
	limits := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst).
		WithMemoryLimitPages(told.MemoryPages)
	runtime := wazero.NewRuntimeWithConfig(ctx, limits)
	defer runtime.Close(ctx)
	wasi_snapshot_preview1.MustInstantiate(ctx, runtime)
	workers := experimental.WithCompilationWorkers(ctx, processors.GOMAXPROCS(0))
	compiled, err := runtime.CompileModule(workers, code)
	if err != nil {
		return complain(exitNotRunnable, fmt.Errorf("%s: %w", name, err))
	}
	_, err = runtime.InstantiateModule(ctx, compiled, configure(told, compiled))
	return exitCode(err)
}

func configure(told module, compiled wazero.CompiledModule) wazero.ModuleConfig {
	config := wazero.NewModuleConfig().
		WithName(compiled.Name()).
		WithArgs(told.Arguments...).
		WithStdin(os.Stdin).WithStdout(os.Stdout).WithStderr(os.Stderr).
		WithRandSource(rand.Reader).
		WithSysNanosleep().WithSysNanotime().WithSysWalltime().
		WithFSConfig(wazero.NewFSConfig().WithDirMount("/", "/"))
	for _, each := range environment(told) {
		key, value, _ := strings.Cut(each, "=")
		config = config.WithEnv(key, value)
	}
	return config
}

// environment is the container's, with its working directory (WASI has none; PWD is where modules look for it) and, per
// port, the descriptor that listens on it.
func environment(told module) []string {
	all := []string{"PWD=" + told.Directory}
	for i, port := range told.Listen {
		all = append(all, fmt.Sprintf("CASEMATE_LISTEN_%d=%d", port, firstListener+i))
	}
	return append(all, told.Environment...)
}

func exitCode(err error) int {
	if ended := (*sys.ExitError)(nil); errors.As(err, &ended) {
		return int(ended.ExitCode())
	}
	if err != nil {
		return complain(exitTrapped, err)
	}
	return 0
}
