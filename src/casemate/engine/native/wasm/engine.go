package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	processors "runtime"
	memory "runtime/debug"
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
//
// Where the module was compiled when the container was made (compile.go), that form is taken first, because it lies
// outside of what the module may see.
func runModule() int {
	endOnSignals()
	told, err := readModule()
	if err != nil {
		return complain(exitNotRunnable, err)
	}
	runtime, compiled := takeCompiled(told)
	if err := confine(told.KeepBind); err != nil {
		return complain(exitNotRunnable, err)
	}
	if compiled == nil {
		name, code, err := find(told)
		if err != nil {
			return complain(exitNotFound, err)
		}
		if err := judge(name, bytes.NewReader(code)); err != nil {
			return complain(exitNotRunnable, err)
		}
		if runtime, compiled, err = load(context.Background(), told, "", name, code); err != nil {
			return complain(exitNotRunnable, err)
		}
	}
	memory.FreeOSMemory()
	return run(told, runtime, compiled)
}

// takeCompiled is nil when there is no compiled form, or it is of other bytes than the container now has.
func takeCompiled(told module) (wazero.Runtime, wazero.CompiledModule) {
	if !told.Compiled {
		return nil, nil
	}
	seen := spec{}
	seen.Root.Path = containerRoot
	seen.Process.Args, seen.Process.Cwd, seen.Process.Env = told.Arguments, told.Directory, told.Environment
	file, err := entryPoint(seen)
	if err != nil {
		return nil, nil
	}
	defer file.Close()
	code, err := io.ReadAll(io.LimitReader(file, compiledLimit+1))
	if err != nil || judge("", bytes.NewReader(code)) != nil {
		return nil, nil
	}
	runtime, compiled, err := load(context.Background(), told, compiledPath, told.Arguments[0], code)
	if err != nil {
		return nil, nil
	}
	return runtime, compiled
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

// load compiles the module, or takes its compiled form from the folder `cache` where there is one.
func load(ctx context.Context, told module, cache, name string, code []byte) (wazero.Runtime, wazero.CompiledModule, error) {
	config := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst).
		WithMemoryLimitPages(told.MemoryPages)
	if cache != "" {
		stored, err := wazero.NewCompilationCacheWithDir(cache)
		if err != nil {
			return nil, nil, err
		}
		config = config.WithCompilationCache(stored)
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, config)
	workers := experimental.WithCompilationWorkers(ctx, processors.GOMAXPROCS(0))
	compiled, err := runtime.CompileModule(workers, code)
	if err != nil {
		runtime.Close(ctx)
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return runtime, compiled, nil
}

// run instantiates the module, with its listeners open, and then starts it.
func run(told module, runtime wazero.Runtime, compiled wazero.CompiledModule) int {
	ctx := withReservedMemory(context.Background())
	if len(told.Listen) > 0 {
		listeners := sock.NewConfig()
		for _, port := range told.Listen {
			listeners = listeners.WithTCPListener("0.0.0.0", port)
		}
		ctx = sock.WithConfig(ctx, listeners)
	}
	polling := &poller{}
	if err := offerWASI(ctx, runtime, polling); err != nil {
		return complain(exitNotRunnable, err)
	}
	instance, err := runtime.InstantiateModule(ctx, compiled, configure(told, compiled).WithStartFunctions())
	if err != nil {
		return exitCode(err)
	}
	made, err := newPoller()
	if err == nil {
		err = unblock(instance, len(told.Listen))
	}
	if err != nil {
		return complain(exitNotRunnable, err)
	}
	*polling = *made
	start := instance.ExportedFunction("_start")
	if start == nil {
		return complain(exitNotRunnable, errors.New("the module exports no _start: it is a library, no program"))
	}
	_, err = start.Call(ctx)
	return exitCode(err)
}

func offerWASI(ctx context.Context, runtime wazero.Runtime, polling *poller) error {
	builder := runtime.NewHostModuleBuilder(wasi_snapshot_preview1.ModuleName)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(builder)
	word := api.ValueTypeI32
	builder.NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(polling.pollOneoff), []api.ValueType{word, word, word, word}, []api.ValueType{word}).
		Export("poll_oneoff")
	_, err := builder.Instantiate(ctx)
	return err
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
