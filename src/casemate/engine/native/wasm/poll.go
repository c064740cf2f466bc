package main

import (
	"context"
	"encoding/binary"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"github.com/tetratelabs/wazero/api"
)

// wazero's own poll_oneoff reports sockets as ready at once and sleeps through timers; a server on it spins or hangs.
// This one waits for the sockets of this process, which has no others than the module's.
//
//  1. Any socket that becomes ready wakes the module, and all descriptors that it asked for are reported: a module finds
//     those that are not ready by EAGAIN, as after any spurious wake-up. WASI descriptors and the kernel's need no map.
//  2. Readiness is edge-triggered, so that data which the module leaves for later does not keep it awake. Modules that
//     expect the level are served with a delay that grows to 16 ms while nothing new arrives.
//  3. Timers end the wait when the first is due, and only those due are reported.
//
// Layouts: WASI preview 1, witx/typenames.witx, subscription and event.
const (
	subscriptionSize, eventSize               = 48, 32
	kindClock, kindRead                       = 0, 1
	fault, invalid, success                   = 21, 28, 0
	absolute                                  = 1
	realtime                                  = 0
	longestDelay                              = 16 * time.Millisecond
	unused                                    = 32 // so many closed descriptors in a row end a scan
	forever                     time.Duration = -1
	edges                                     = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | -syscall.EPOLLET
)

type subscription struct {
	userData uint64
	kind     byte
	fd       uint32
	due      time.Duration // from now
}

// poller waits for the module's sockets. Wasm is single-threaded: no lock.
type poller struct {
	epoll   int
	foreign []int // descriptors of the engine itself
	delay   time.Duration
}

// newPoller is made after the module's listeners were opened and before its first instruction runs.
func newPoller() (*poller, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	made := &poller{epoll: epoll, foreign: []int{epoll}}
	for _, fd := range openDescriptors() {
		if listening, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err != nil || listening == 0 {
			made.foreign = append(made.foreign, fd)
		}
	}
	return made, nil
}

// pollOneoff is poll_oneoff(in, out, nsubscriptions, result.nevents) -> errno.
func (p *poller) pollOneoff(_ context.Context, mod api.Module, stack []uint64) {
	in, out, count, result := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	memory := mod.Memory()
	asked, ok := memory.Read(in, count*subscriptionSize)
	answer, fits := memory.Read(out, count*eventSize)
	if !ok || !fits || uint64(count)*subscriptionSize > uint64(memory.Size()) {
		stack[0] = fault
		return
	}
	if count == 0 {
		stack[0] = invalid
		return
	}
	happened := p.wait(parseSubscriptions(asked))
	clear(answer)
	for i, each := range happened {
		event := answer[i*eventSize:]
		binary.LittleEndian.PutUint64(event, each.userData)
		event[10] = each.kind
	}
	stack[0] = success
	if !memory.WriteUint32Le(result, uint32(len(happened))) {
		stack[0] = fault
	}
}

func parseSubscriptions(text []byte) []subscription {
	var all []subscription
	for each := range slices.Chunk(text, subscriptionSize) {
		read := subscription{userData: binary.LittleEndian.Uint64(each), kind: each[8], fd: binary.LittleEndian.Uint32(each[16:])}
		if read.kind == kindClock {
			read.due = due(read.fd, binary.LittleEndian.Uint64(each[24:]), binary.LittleEndian.Uint16(each[40:]))
		}
		all = append(all, read)
	}
	return all
}

func due(clock uint32, nanoseconds uint64, flags uint16) time.Duration {
	wanted := time.Duration(min(nanoseconds, 1<<62))
	if flags&absolute == 0 {
		return wanted
	}
	var now syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&now)), 0)
	return max(0, wanted-time.Duration(now.Nano()))
}

// wait returns what has happened among what was asked for, as soon as something has.
func (p *poller) wait(asked []subscription) []subscription {
	limit, descriptors := forever, []subscription{}
	for _, each := range asked {
		if each.kind != kindClock {
			descriptors = append(descriptors, each)
		} else if limit == forever || each.due < limit {
			limit = each.due
		}
	}
	if len(descriptors) == 0 {
		time.Sleep(limit)
	} else if p.ready(descriptors, limit) {
		return descriptors
	}
	return slices.DeleteFunc(asked, func(each subscription) bool { return each.kind != kindClock || each.due > limit })
}

// ready waits until a descriptor may be ready; false when the limit passes first.
func (p *poller) ready(asked []subscription, limit time.Duration) bool {
	sockets := p.watch(asked)
	if len(sockets) == 0 {
		return true // files, and streams that never block
	}
	patience := limit
	left := readable(sockets)
	if left && (limit == forever || p.delay < limit) {
		patience = p.delay
	}
	var events [16]syscall.EpollEvent
	count, _ := syscall.EpollWait(p.epoll, events[:], milliseconds(patience))
	if count > 0 {
		p.delay = 0
		return true
	}
	if left {
		p.delay = min(longestDelay, max(time.Millisecond, 2*p.delay))
	}
	return left
}

// watch registers what was opened since the last time, and returns all that can be waited for.
func (p *poller) watch(asked []subscription) []int {
	watched := []int{}
	for _, fd := range openDescriptors() {
		if slices.Contains(p.foreign, fd) {
			continue
		}
		if p.add(fd) {
			watched = append(watched, fd)
		}
	}
	for _, each := range asked {
		if each.fd == 0 && each.kind == kindRead && p.add(0) {
			watched = append(watched, 0)
		}
	}
	return watched
}

func (p *poller) add(fd int) bool {
	event := syscall.EpollEvent{Events: uint32(edges & 0xffffffff), Fd: int32(fd)}
	err := syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, fd, &event)
	return err == nil || err == syscall.EEXIST
}

func milliseconds(duration time.Duration) int {
	if duration < 0 {
		return -1
	}
	return int(min((duration+time.Millisecond-1)/time.Millisecond, 1<<30))
}

// openDescriptors scans: there is no /proc here.
func openDescriptors() []int {
	found := []int{}
	for fd, closed := 3, 0; closed < unused; fd++ {
		if _, _, failed := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); failed != 0 {
			closed++
			continue
		}
		closed = 0
		found = append(found, fd)
	}
	return found
}

func readable(sockets []int) bool {
	type pollDescriptor struct {
		fd              int32
		events, return_ int16
	}
	const pollIn = 1
	asked := make([]pollDescriptor, len(sockets))
	for i, fd := range sockets {
		asked[i] = pollDescriptor{int32(fd), pollIn, 0}
	}
	var now syscall.Timespec
	count, _, _ := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&asked[0])), uintptr(len(asked)), uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return int(count) > 0
}
