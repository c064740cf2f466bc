// casemate-probe runs inside the sandbox that is to be proven, and says what it sees from there.
//
// Rules:
//
//  1. A challenge is a random word on the command line. The process carries it for as long as it lives, so that whoever
//     looks from outside has time; it echoes it, so that what is read is known to be of this try.
//  2. What it says of itself supports a claim and never makes one: the guest may lie. The node's view decides.
//  3. Attempts at an escape leave nothing behind: what could be opened is not written to, but for a value that is written
//     back as it was read; what could be mounted is unmounted.
//  4. It ends by itself after a minute, whatever became of those who started it.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	lifetime    = time.Minute
	badUsage    = 2
	asNeighbour = "unshare-only"
)

// report is the one line that the container's process prints.
type report struct {
	Nonce   string            `json:"nonce"`
	Kernel  kernel            `json:"kernel"`
	Machine machine           `json:"machine"`
	Surface map[string]string `json:"surface"`
	Calls   map[string]string `json:"calls"`
	Escapes map[string]string `json:"escapes"`
}

// answer is the one line that a challenge prints.
type answer struct {
	Nonce string `json:"nonce"`
	PID   int    `json:"pid"`
}

func main() {
	time.AfterFunc(lifetime, func() { os.Exit(0) })
	switch {
	case len(os.Args) == 2 && os.Args[1] == asNeighbour:
		return
	case len(os.Args) == 2:
		say(report{
			Nonce: os.Args[1], Kernel: lookAtKernel(), Machine: lookAtMachine(), Surface: lookAtSurface(),
			Calls: tryCalls(), Escapes: tryEscapes(),
		})
		untilAsked()
	case len(os.Args) == 3 && os.Args[1] == "challenge":
		say(answer{Nonce: os.Args[2], PID: os.Getpid()})
		io.Copy(io.Discard, os.Stdin)
	default:
		fmt.Fprintln(os.Stderr, "usage: probe NONCE | probe challenge NONCE")
		os.Exit(badUsage)
	}
}

func say(what any) {
	line, err := json.Marshal(what)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.Write(append(line, '\n'))
}

// untilAsked waits for a signal that ends: process 1 has no default action.
func untilAsked() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	<-asked
}

// told is how an attempt ended: empty when it succeeded, else the error's name as the kernel gives it.
func told(err error) string {
	if err == nil {
		return ""
	}
	for {
		switch known := err.(type) {
		case *os.PathError:
			err = known.Err
		case *os.SyscallError:
			err = known.Err
		case syscall.Errno:
			if name, ok := names[known]; ok {
				return name
			}
			return fmt.Sprintf("E%d", int(known))
		default:
			return err.Error()
		}
	}
}

var names = map[syscall.Errno]string{
	syscall.EPERM: "EPERM", syscall.EACCES: "EACCES", syscall.ENOENT: "ENOENT", syscall.ENOSYS: "ENOSYS",
	syscall.EINVAL: "EINVAL", syscall.EBADF: "EBADF", syscall.EROFS: "EROFS", syscall.ENXIO: "ENXIO",
	syscall.ENODEV: "ENODEV", syscall.ESRCH: "ESRCH", syscall.EFAULT: "EFAULT", syscall.EOPNOTSUPP: "EOPNOTSUPP",
	syscall.EAFNOSUPPORT: "EAFNOSUPPORT", syscall.EPROTONOSUPPORT: "EPROTONOSUPPORT", syscall.EIO: "EIO",
	syscall.ENOSPC: "ENOSPC", syscall.EBUSY: "EBUSY", syscall.ENOTDIR: "ENOTDIR", syscall.ESOCKTNOSUPPORT: "ESOCKTNOSUPPORT",
	syscall.ENOTSOCK: "ENOTSOCK", syscall.EAGAIN: "EAGAIN", syscall.ENOMEM: "ENOMEM", syscall.E2BIG: "E2BIG",
}
