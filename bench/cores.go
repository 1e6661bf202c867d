package main

import "fmt"

// cores are where the processes of a speed workload run: one for what serves, another for what loads it. Then neither
// takes time from the other, and a runtime that sees one core has as many threads in every server.
type cores struct {
	server, load int
	note         string // where they are, or why they are nowhere
}

// anyCore is for what is not pinned.
const anyCore = -1

// chooseCores takes the last of the cores that this process may use for the server, as the first one has the system's
// own work, and as neighbours are often halves of one.
func chooseCores() cores {
	may, err := allowedCores()
	if err == nil && len(may) < 2 {
		err = fmt.Errorf("there is one core only")
	}
	if err == nil {
		c := cores{server: may[len(may)-1], load: may[0]}
		for _, core := range []int{c.server, c.load} {
			if err == nil {
				err = onCore(core, func() error { return nil })
			}
		}
		c.note = fmt.Sprintf("server on core %d, load on core %d", c.server, c.load)
		if err == nil {
			return c
		}
	}
	return cores{anyCore, anyCore, "not pinned: " + err.Error()}
}
