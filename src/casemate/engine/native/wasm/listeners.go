package main

import (
	"fmt"
	"reflect"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental/sys"
)

// unblock makes the module's listeners non-blocking before it starts, as other WASI engines hand them out: a module that
// accepts on one would else stop as a whole until the next connection. wazero has no public way to it: its descriptor
// table is reached by the exported names of internal types, in the version that go.mod pins.
func unblock(instance api.Module, count int) (err error) {
	defer func() {
		if missing := recover(); missing != nil {
			err = fmt.Errorf("this wazero keeps its descriptors elsewhere: %v", missing)
		}
	}()
	table := reflect.ValueOf(instance).Elem().FieldByName("Sys").MethodByName("FS").Call(nil)[0]
	for fd := firstListener; fd < firstListener+count; fd++ {
		found := table.MethodByName("LookupFile").Call([]reflect.Value{reflect.ValueOf(int32(fd))})
		file, ok := found[0].Elem().FieldByName("File").Interface().(sys.PollableFile)
		if !ok {
			return fmt.Errorf("descriptor %d is no listener", fd)
		}
		if errno := file.SetNonblock(true); errno != 0 {
			return errno
		}
	}
	return nil
}
