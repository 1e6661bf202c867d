package password

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// stepBack lets the rest of the process, and of the machine, go before what the calling goroutine does from here to its
// end: a hash keeps a core for tens of milliseconds, and whoever shares that core with it would wait for its time slices.
// Its thread is not given back. It ends with the goroutine, since a process without privileges may lower a priority and
// not raise it again.
func stepBack() {
	runtime.LockOSThread()
	thread := unix.Gettid()
	if thread == unix.Getpid() { // the main thread stands for the process in ps and top, and never ends
		runtime.UnlockOSThread()
		return
	}
	priority, err := unix.Getpriority(unix.PRIO_PROCESS, thread)
	if err != nil {
		return // the hash goes on as it is
	}
	niceness := 20 - priority // the system call returns it like that, so as not to be negative
	_ = unix.Setpriority(unix.PRIO_PROCESS, thread, min(niceness+nicer, 19))
}

// nicer by 10 is a tenth of the share of other threads, where they want the same core. Much less of it would hold up the
// garbage collector, which waits for every thread that runs Go.
const nicer = 10
